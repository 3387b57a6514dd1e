#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace sennit::net {
namespace {

const sockaddr_in& as_v4(const sockaddr_storage& s) {
  return reinterpret_cast<const sockaddr_in&>(s);
}
const sockaddr_in6& as_v6(const sockaddr_storage& s) {
  return reinterpret_cast<const sockaddr_in6&>(s);
}

Result<uint16_t> parse_port(std::string_view text, std::string_view whole) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail("\"{}\": the port must be a number from 0 to 65535", whole);
  }
  return port;
}

bool is_v4_mapped(const uint8_t* bytes) {
  static constexpr uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(bytes, kPrefix, sizeof kPrefix) == 0;
}

}  // namespace

Result<Address> Address::ip(std::string_view ip, uint16_t port) {
  Address address;
  const std::string text(ip);
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage_);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage_);
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.length_ = sizeof v4;
    return address;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.length_ = sizeof v6;
    return address;
  }
  return fail("\"{}\" is not an IP address", ip);
}

Result<Address> Address::unix_path(std::string_view path) {
  Address address;
  auto& un = reinterpret_cast<sockaddr_un&>(address.storage_);
  if (path.empty()) return fail("a unix socket needs a path");
  if (path.size() >= sizeof un.sun_path) {
    return fail("unix socket path \"{}\" is longer than {} bytes", path, sizeof un.sun_path - 1);
  }
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  const bool abstract = path[0] == '@';
  if (abstract) un.sun_path[0] = '\0';
  address.length_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return address;
}

Result<Address> Address::parse(std::string_view text) {
  if (text.starts_with("unix:")) {
    text.remove_prefix(5);
    if (text.starts_with("//")) text.remove_prefix(2);
    return unix_path(text);
  }
  if (text.starts_with('[')) {
    const size_t close = text.find("]:");
    if (close == text.npos) return fail("\"{}\" is not [ADDRESS]:PORT", text);
    const auto port = parse_port(text.substr(close + 2), text);
    if (!port) return std::unexpected(port.error());
    return ip(text.substr(1, close - 1), *port);
  }
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return fail("\"{}\" is not ADDRESS:PORT", text);
  const auto port = parse_port(text.substr(colon + 1), text);
  if (!port) return std::unexpected(port.error());
  return ip(text.substr(0, colon), *port);
}

Address Address::from_sockaddr(const sockaddr_storage& storage, socklen_t length) {
  Address address;
  address.length_ = std::min<socklen_t>(length, sizeof storage);
  std::memcpy(&address.storage_, &storage, address.length_);
  if (address.length_ < sizeof(sa_family_t)) return Address();
  // A dual-stack socket reports IPv4 peers as mapped addresses; everything above expects IPv4.
  if (address.family() != AF_INET6 || !is_v4_mapped(as_v6(storage).sin6_addr.s6_addr)) {
    return address;
  }
  Address v4;
  auto& plain = reinterpret_cast<sockaddr_in&>(v4.storage_);
  plain.sin_family = AF_INET;
  plain.sin_port = as_v6(storage).sin6_port;
  std::memcpy(&plain.sin_addr, as_v6(storage).sin6_addr.s6_addr + 12, 4);
  v4.length_ = sizeof plain;
  return v4;
}

bool Address::is_any() const {
  if (family() == AF_INET) return as_v4(storage_).sin_addr.s_addr == INADDR_ANY;
  return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&as_v6(storage_).sin6_addr);
}

bool Address::is_loopback() const {
  if (family() == AF_INET) return ntohl(as_v4(storage_).sin_addr.s_addr) >> 24 == 127;
  return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&as_v6(storage_).sin6_addr);
}

uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(as_v4(storage_).sin_port);
  if (family() == AF_INET6) return ntohs(as_v6(storage_).sin6_port);
  return 0;
}

Address Address::with_port(uint16_t port) const {
  Address copy = *this;
  if (family() == AF_INET) reinterpret_cast<sockaddr_in&>(copy.storage_).sin_port = htons(port);
  if (family() == AF_INET6) reinterpret_cast<sockaddr_in6&>(copy.storage_).sin6_port = htons(port);
  return copy;
}

std::string Address::ip_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  switch (family()) {
    case AF_INET:
      return inet_ntop(AF_INET, &as_v4(storage_).sin_addr, text, sizeof text);
    case AF_INET6:
      return inet_ntop(AF_INET6, &as_v6(storage_).sin6_addr, text, sizeof text);
    case AF_UNIX: {
      const auto& un = reinterpret_cast<const sockaddr_un&>(storage_);
      constexpr size_t kHeader = offsetof(sockaddr_un, sun_path);
      if (length_ <= kHeader) return "";  // unnamed: the client's end
      if (un.sun_path[0] == '\0') return "@" + std::string(un.sun_path + 1, length_ - kHeader - 1);
      return std::string(un.sun_path, strnlen(un.sun_path, length_ - kHeader));
    }
    default:
      return "";
  }
}

std::string Address::to_string() const {
  if (family() == AF_INET) return fmt::format("{}:{}", ip_string(), port());
  if (family() == AF_INET6) return fmt::format("[{}]:{}", ip_string(), port());
  return ip_string();
}

bool operator==(const Address& a, const Address& b) {
  if (a.family() != b.family()) return false;
  if (a.is_ip()) {
    if (a.port() != b.port()) return false;
    if (a.family() == AF_INET) {
      return as_v4(a.storage_).sin_addr.s_addr == as_v4(b.storage_).sin_addr.s_addr;
    }
    return std::memcmp(&as_v6(a.storage_).sin6_addr, &as_v6(b.storage_).sin6_addr, 16) == 0;
  }
  return a.length_ == b.length_ && std::memcmp(&a.storage_, &b.storage_, a.length_) == 0;
}

size_t Address::hash() const {
  std::string_view bytes;
  if (family() == AF_INET) {
    bytes = {reinterpret_cast<const char*>(&as_v4(storage_).sin_addr), 4};
  } else if (family() == AF_INET6) {
    bytes = {reinterpret_cast<const char*>(&as_v6(storage_).sin6_addr), 16};
  } else {
    bytes = {reinterpret_cast<const char*>(&storage_), length_};
  }
  return std::hash<std::string_view>()(bytes) * 31 + port();
}

Result<Cidr> Cidr::parse(std::string_view address_prefix, uint32_t prefix_length) {
  Cidr range;
  const std::string text(address_prefix);
  if (inet_pton(AF_INET, text.c_str(), range.bytes_) != 1) {
    if (inet_pton(AF_INET6, text.c_str(), range.bytes_) != 1) {
      return fail("\"{}\" is not an IP address", address_prefix);
    }
    range.ipv6_ = true;
  }
  const uint32_t bits = range.ipv6_ ? 128 : 32;
  if (prefix_length > bits) {
    return fail("prefix length {} of \"{}\" is more than {}", prefix_length, address_prefix, bits);
  }
  range.prefix_length_ = prefix_length;
  // Bits beyond the prefix do not count (Envoy masks them away too).
  for (uint32_t bit = prefix_length; bit < bits; ++bit) {
    range.bytes_[bit / 8] &= static_cast<uint8_t>(~(0x80u >> (bit % 8)));
  }
  return range;
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == text.npos) return parse(text, text.find(':') == text.npos ? 32 : 128);
  uint32_t length = 0;
  const auto digits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return fail("\"{}\" is not ADDRESS/BITS", text);
  }
  return parse(text.substr(0, slash), length);
}

bool Cidr::contains(const Address& address) const {
  sockaddr_storage storage{};
  if (!address.is_ip()) return false;
  std::memcpy(&storage, address.sockaddr_ptr(), address.sockaddr_length());
  const uint8_t* bytes;
  bool ipv6 = address.family() == AF_INET6;
  if (ipv6) {
    bytes = as_v6(storage).sin6_addr.s6_addr;
    if (!ipv6_ && is_v4_mapped(bytes)) {
      bytes += 12;
      ipv6 = false;
    }
  } else {
    bytes = reinterpret_cast<const uint8_t*>(&as_v4(storage).sin_addr);
  }
  if (ipv6 != ipv6_) return false;
  const uint32_t whole = prefix_length_ / 8, rest = prefix_length_ % 8;
  if (std::memcmp(bytes, bytes_, whole) != 0) return false;
  return rest == 0 || ((bytes[whole] ^ bytes_[whole]) >> (8 - rest)) == 0;
}

std::string Cidr::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(ipv6_ ? AF_INET6 : AF_INET, bytes_, text, sizeof text);
  return fmt::format("{}/{}", text, prefix_length_);
}

}  // namespace sennit::net

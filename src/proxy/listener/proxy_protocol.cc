#include "proxy/listener/proxy_protocol.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

namespace sennit::proxy {
namespace {

constexpr std::string_view kSignatureV1 = "PROXY ";
constexpr std::string_view kSignatureV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kMaxV1 = 107;  // the specification's bound, CRLF included
constexpr size_t kHeaderV2 = 16;

bool could_be(std::string_view bytes, std::string_view signature) {
  const size_t compared = std::min(bytes.size(), signature.size());
  return bytes.substr(0, compared) == signature.substr(0, compared);
}

bool parse_port(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

Inspection inspect_v1(std::string_view bytes, ProxyHeader& header) {
  const size_t end = bytes.substr(0, kMaxV1).find("\r\n");
  if (end == bytes.npos) return bytes.size() < kMaxV1 ? Inspection::NeedMore : Inspection::NotThis;
  header.length = end + 2;
  std::vector<std::string_view> words;
  for (auto rest = bytes.substr(0, end); !rest.empty();) {
    const size_t space = rest.find(' ');
    words.push_back(rest.substr(0, space));
    rest = space == rest.npos ? std::string_view() : rest.substr(space + 1);
  }
  if (words.size() >= 2 && words[1] == "UNKNOWN") return Inspection::Found;
  if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return Inspection::NotThis;
  const int family = words[1] == "TCP4" ? AF_INET : AF_INET6;
  uint16_t source_port, destination_port;
  if (!parse_port(words[4], source_port) || !parse_port(words[5], destination_port)) {
    return Inspection::NotThis;
  }
  const auto source = net::Address::ip(words[2], source_port);
  const auto destination = net::Address::ip(words[3], destination_port);
  if (!source || !destination || source->family() != family || destination->family() != family) {
    return Inspection::NotThis;
  }
  header.source = *source;
  header.destination = *destination;
  return Inspection::Found;
}

net::Address read_address(std::string_view ip, std::string_view port) {
  sockaddr_storage storage{};
  if (ip.size() == 4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, ip.data(), 4);
    std::memcpy(&v4.sin_port, port.data(), 2);
    return net::Address::from_sockaddr(storage, sizeof v4);
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  std::memcpy(&v6.sin6_addr, ip.data(), 16);
  std::memcpy(&v6.sin6_port, port.data(), 2);
  return net::Address::from_sockaddr(storage, sizeof v6);
}

Inspection inspect_v2(std::string_view bytes, ProxyHeader& header) {
  if (bytes.size() < kHeaderV2) return Inspection::NeedMore;
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t version = at(12) >> 4, command = at(12) & 15, family = at(13);
  const size_t length = static_cast<size_t>(at(14)) << 8 | at(15);
  if (version != 2 || command > 1 || kHeaderV2 + length > kMaxProxyHeader) {
    return Inspection::NotThis;
  }
  if (bytes.size() < kHeaderV2 + length) return Inspection::NeedMore;
  header.length = kHeaderV2 + length;
  const auto body = bytes.substr(kHeaderV2, length);
  if (command == 0) return Inspection::Found;  // LOCAL: a health check of the balancer's own
  const size_t width = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;
  if (width == 0) return Inspection::Found;  // unspecified or unix: keep the socket's addresses
  if (body.size() < 2 * width + 4) return Inspection::NotThis;
  header.source = read_address(body.substr(0, width), body.substr(2 * width, 2));
  header.destination = read_address(body.substr(width, width), body.substr(2 * width + 2, 2));
  return Inspection::Found;
}

}  // namespace

Inspection inspect_proxy_header(std::string_view bytes, ProxyHeader& header) {
  header = {};
  if (bytes.empty()) return Inspection::NeedMore;
  if (could_be(bytes, kSignatureV2)) return inspect_v2(bytes, header);
  if (!could_be(bytes, kSignatureV1)) return Inspection::NotThis;
  return bytes.size() < kSignatureV1.size() ? Inspection::NeedMore : inspect_v1(bytes, header);
}

}  // namespace sennit::proxy

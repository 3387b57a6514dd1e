// Where a socket is: an IPv4 or IPv6 address with a port, or a unix socket path ("@name" for the
// abstract namespace). A value type; cheap to copy but for unix paths.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sennit::net {

class Address {
 public:
  Address() = default;  // "none": family AF_UNSPEC

  // `ip` is a literal ("10.0.0.1", "::1"); names are refused (resolve them first).
  static Result<Address> ip(std::string_view ip, uint16_t port);
  static Result<Address> unix_path(std::string_view path);
  // "10.0.0.1:80", "[::1]:80", "unix:/path".
  static Result<Address> parse(std::string_view text);
  static Address from_sockaddr(const sockaddr_storage& storage, socklen_t length);

  int family() const { return storage_.ss_family; }
  bool valid() const { return family() != AF_UNSPEC; }
  bool is_ip() const { return family() == AF_INET || family() == AF_INET6; }
  bool is_any() const;       // 0.0.0.0 or ::
  bool is_loopback() const;  // 127/8 or ::1
  uint16_t port() const;     // 0 for unix
  Address with_port(uint16_t port) const;

  std::string ip_string() const;  // "10.0.0.1"; the path for unix
  std::string to_string() const;  // "10.0.0.1:80", "[::1]:80", the path for unix

  const sockaddr* sockaddr_ptr() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t sockaddr_length() const { return length_; }

  friend bool operator==(const Address& a, const Address& b);
  size_t hash() const;

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

// An address range, "10.0.0.0/8". IPv4-mapped IPv6 addresses match IPv4 ranges.
class Cidr {
 public:
  static Result<Cidr> parse(std::string_view address_prefix, uint32_t prefix_length);
  static Result<Cidr> parse(std::string_view text);  // a bare address is a range of one
  bool contains(const Address& address) const;
  uint32_t prefix_length() const { return prefix_length_; }
  std::string to_string() const;

 private:
  uint8_t bytes_[16] = {};
  bool ipv6_ = false;
  uint32_t prefix_length_ = 0;
};

}  // namespace sennit::net

template <>
struct std::hash<sennit::net::Address> {
  size_t operator()(const sennit::net::Address& address) const { return address.hash(); }
};

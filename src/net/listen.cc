#include "net/listen.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sennit::net {
namespace {

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

std::string_view advice(int error) {
  switch (error) {
    case EADDRINUSE:
      return " (is another proxy or application using it?)";
    case EACCES:
      return " (ports below 1024 need CAP_NET_BIND_SERVICE)";
    case EADDRNOTAVAIL:
      return " (no interface has this address)";
    default:
      return "";
  }
}

// Removes a socket file that nobody listens on any more.
void remove_stale(const Address& address) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), address.sockaddr_ptr(), address.sockaddr_length()) != 0 &&
      errno == ECONNREFUSED) {
    ::unlink(address.ip_string().c_str());
  }
}

}  // namespace

Result<UniqueFd> listen_on(const Address& address, const ListenOptions& options) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return fail("cannot open a socket for {}: {}", address.to_string(), std::strerror(errno));
  }
  const auto failed = [&](std::string_view what) {
    const int error = errno;
    return fail("cannot {} {}: {}{}", what, address.to_string(), std::strerror(error),
                advice(error));
  };
  if (address.is_ip()) {
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port && !set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1)) {
      return failed("share (SO_REUSEPORT)");
    }
    if (options.transparent && !set_option(fd.get(), IPPROTO_IP, IP_TRANSPARENT, 1)) {
      return failed("listen transparently (CAP_NET_ADMIN) on");
    }
    if (options.freebind && !set_option(fd.get(), IPPROTO_IP, IP_FREEBIND, 1)) {
      return failed("bind freely to");
    }
    if (address.family() == AF_INET6) {
      set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
    }
    if (options.fast_open_queue > 0) {
      set_option(fd.get(), IPPROTO_TCP, TCP_FASTOPEN, options.fast_open_queue);
    }
  } else if (!address.ip_string().starts_with('@')) {
    remove_stale(address);
  }
  if (::bind(fd.get(), address.sockaddr_ptr(), address.sockaddr_length()) != 0) {
    return failed("listen on");
  }
  if (options.unix_mode && address.family() == AF_UNIX) {
    ::chmod(address.ip_string().c_str(), options.unix_mode);
  }
  if (::listen(fd.get(), options.backlog) != 0) return failed("listen on");
  return fd;
}

Address bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return Address::from_sockaddr(storage, length);
}

}  // namespace sennit::net

#include "cli/sidecar/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <functional>

namespace sennit::cli {
namespace {

// Networks 127.16.0 to 127.239.255: away from 127.0.0 and from what distributions use (127.0.1.1).
constexpr uint32_t kFirst = 16, kBlocks = 224, kNetworks = kBlocks * 256;
constexpr int kAttempts = 4096;
// The claim's port: IANA-unassigned, never listened on.
constexpr uint16_t kClaimPort = 15099;

Result<UniqueFd> bind_to(const std::string& address, uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1)
    return fail("{} is not an IPv4 address", address);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) != 0)
    return fail("cannot bind {}:{}: {}", address, port, std::strerror(errno));
  return fd;
}

}  // namespace

Result<LoopbackNetwork> LoopbackNetwork::take(std::string_view name) {
  size_t start = std::hash<std::string_view>()(name);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    uint32_t number =
        static_cast<uint32_t>((start + static_cast<size_t>(attempt) * 257) % kNetworks);
    LoopbackNetwork network;
    network.prefix_ = fmt::format("127.{}.{}", kFirst + number / 256, number % 256);
    auto claim = bind_to(network.workload_address(), kClaimPort);
    if (!claim) continue;
    network.claim_ = std::move(*claim);
    return network;
  }
  return fail("no free loopback network in 127.16.0.0 - 127.239.255.0");
}

Result<uint16_t> free_port(const std::string& address) {
  auto fd = bind_to(address, 0);
  if (!fd) return std::unexpected(fd.error());
  sockaddr_in bound{};
  socklen_t length = sizeof bound;
  ::getsockname(fd->get(), reinterpret_cast<sockaddr*>(&bound), &length);
  return ntohs(bound.sin_port);
}

}  // namespace sennit::cli

// Sockets that listen.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "net/address.h"

namespace sennit::net {

struct ListenOptions {
  bool reuse_port = false;   // SO_REUSEPORT: several sockets share the address, the kernel balances
  bool transparent = false;  // IP_TRANSPARENT (needs CAP_NET_ADMIN)
  bool freebind = false;     // IP_FREEBIND: the address need not exist yet
  bool ipv6_only = false;
  int backlog = 1024;       // the kernel caps it at net.core.somaxconn
  int fast_open_queue = 0;  // TCP_FASTOPEN; 0: off
  uint32_t unix_mode = 0;   // permission bits of a unix socket; 0: as umask says
};

// Opens, binds and listens, non-blocking. A stale unix socket file is replaced; one that something
// listens on is not. An error names the address and what to do.
Result<UniqueFd> listen_on(const Address& address, const ListenOptions& options);

// Where `fd` is bound (the port that the kernel chose for port 0).
Address bound_address(int fd);

}  // namespace sennit::net

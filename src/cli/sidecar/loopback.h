// A loopback network of one's own for each sidecar on a machine: 127.A.B.0/24, chosen by the
// workload's name and taken for as long as the process lives, so that many workloads run side by
// side without a network namespace. .1 is the workload, .2 and up are the services that it calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sennit::cli {

class LoopbackNetwork {
 public:
  // Tries the networks in an order given by `name` until one is free.
  static Result<LoopbackNetwork> take(std::string_view name);

  const std::string& prefix() const { return prefix_; }  // "127.20.7"
  std::string workload_address() const { return prefix_ + ".1"; }

 private:
  std::string prefix_;
  UniqueFd claim_;  // a bound, not listening socket on .1: others see that the network is taken
};

// A TCP port of `address` that nothing listens on now.
Result<uint16_t> free_port(const std::string& address);

}  // namespace sennit::cli

// Consistent hashing tables. Pure functions of their arguments: every worker of every proxy that
// has the same hosts gets the same table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/upstream/lb_state.h"

namespace sennit::proxy {

// XXH64, Envoy's hash for keys, rings and hash policies.
uint64_t xx_hash64(std::string_view text, uint64_t seed = 0);

// Ketama as Envoy does it: each key is put on the ring as "KEY_0", "KEY_1", ... in proportion to
// its weight, at least `minimum_size` entries in all.
std::vector<RingEntry> build_ring(const std::vector<std::string>& keys,
                                  const std::vector<double>& weights, uint64_t minimum_size,
                                  uint64_t maximum_size);

// Maglev (NSDI 2016, §3.4) with Envoy's weighting. `size` is a prime.
std::vector<uint32_t> build_maglev(const std::vector<std::string>& keys,
                                   const std::vector<double>& weights, uint64_t size);

}  // namespace sennit::proxy

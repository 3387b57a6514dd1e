#include "proxy/stream/random.h"

#include <sys/random.h>

#include <chrono>

namespace sennit::proxy {
namespace {

// splitmix64 spreads one seed over the whole state, which must not be all zero.
uint64_t spread(uint64_t& seed) {
  uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t kernel_seed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof(seed), 0) == sizeof(seed)) return seed;
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace

Random::Random() : Random(kernel_seed()) {}

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = spread(seed);
}

}  // namespace sennit::proxy

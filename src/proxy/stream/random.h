// Cheap random bits for picks, jitter and request ids: xoshiro256++, seeded from the kernel once
// per worker. Not for secrets. One per thread.
#pragma once

#include <array>
#include <cstdint>

namespace sennit::proxy {

class Random {
 public:
  Random();                        // seeded by getrandom(2)
  explicit Random(uint64_t seed);  // for tests: the same seed gives the same numbers

  uint64_t next() {
    const uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

 private:
  static uint64_t rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }
  std::array<uint64_t, 4> state_;
};

}  // namespace sennit::proxy

// Percentages as Envoy writes them, and durations as protobuf does.
#pragma once

#include <envoy/type/v3/percent.pb.h>
#include <google/protobuf/duration.pb.h>

#include <chrono>
#include <cstdint>

#include "base/result.h"

namespace sennit::proxy {

// numerator out of 100, 10 000 or 1 000 000.
struct Fraction {
  uint32_t numerator = 100, denominator = 100;

  // Draws with the random number given. Never for 0, always from the denominator on.
  bool hit(uint64_t random) const { return random % denominator < numerator; }
};

inline Fraction make_fraction(const envoy::type::v3::FractionalPercent& percent) {
  switch (percent.denominator()) {
    case envoy::type::v3::FractionalPercent::TEN_THOUSAND:
      return {percent.numerator(), 10'000};
    case envoy::type::v3::FractionalPercent::MILLION:
      return {percent.numerator(), 1'000'000};
    default:
      return {percent.numerator(), 100};
  }
}

// Milliseconds, rounded up so that a positive duration never becomes zero ("disabled").
inline Result<std::chrono::milliseconds> to_milliseconds(
    const google::protobuf::Duration& duration) {
  if (duration.seconds() < 0 || duration.nanos() < 0) return fail("a duration may not be negative");
  if (duration.seconds() > 315'576'000'000) return fail("a duration may not exceed 10000 years");
  return std::chrono::milliseconds(duration.seconds() * 1000 +
                                   (duration.nanos() + 999'999) / 1'000'000);
}

}  // namespace sennit::proxy

// x-request-id: a version 4 UUID (RFC 9562 §5.4), as Envoy's uuid request id extension makes it.
#pragma once

#include <array>
#include <string_view>

#include "proxy/stream/random.h"

namespace sennit::proxy {

class Uuid {
 public:
  explicit Uuid(Random& random);
  std::string_view view() const { return {text_.data(), text_.size()}; }

 private:
  std::array<char, 36> text_;
};

}  // namespace sennit::proxy

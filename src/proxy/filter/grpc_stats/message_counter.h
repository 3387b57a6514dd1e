// Counts gRPC messages in a body that comes in pieces: five bytes of prefix (flag, length), then
// the message (gRPC over HTTP/2, "Length-Prefixed-Message").
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace sennit::proxy {

class GrpcMessageCounter {
 public:
  // Counts a message when its prefix is complete.
  void count(std::string_view data) {
    while (!data.empty()) {
      if (left_ > 0) {
        const auto skip = std::min<uint64_t>(left_, data.size());
        data.remove_prefix(skip);
        left_ -= skip;
        continue;
      }
      if (prefix_bytes_ > 0) length_ = (length_ << 8) | static_cast<uint8_t>(data.front());
      data.remove_prefix(1);
      if (++prefix_bytes_ < kPrefixBytes) continue;
      ++messages_;
      left_ = length_;
      prefix_bytes_ = 0;
      length_ = 0;
    }
  }
  uint64_t messages() const { return messages_; }

 private:
  static constexpr int kPrefixBytes = 5;
  uint64_t messages_ = 0;
  uint64_t left_ = 0;  // of the message's bytes
  uint32_t length_ = 0;
  int prefix_bytes_ = 0;
};

}  // namespace sennit::proxy

// Counts of frames that are cheap to send and dear to handle. Limits and formulas are Envoy's
// (config.core.v3.Http2ProtocolOptions), the budget of resets our own. One per connection.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sennit::http::http2 {

class FloodGuard {
 public:
  static constexpr uint32_t kMaxConsecutiveEmpty = 1;
  static constexpr uint64_t kMaxPriorityPerStream = 100;
  static constexpr uint64_t kMaxWindowUpdatesPerData = 10;
  // In one head; as nghttp2's own bound (CVE-2024-28182). The largest head needs four.
  static constexpr uint32_t kMaxContinuations = 8;
  // Beyond one for each completed stream: resets by the peer, and those that it made us send.
  static constexpr uint64_t kMaxResets = 500;
  static constexpr size_t kMaxOutboundAcks = 1000;  // SETTINGS and PING answers not yet sent

  // Each is false when the peer has gone too far.
  bool empty_frame(bool empty) {
    empty_ = empty ? empty_ + 1 : 0;
    return empty_ <= kMaxConsecutiveEmpty;
  }
  bool priority() { return ++priorities_ <= kMaxPriorityPerStream * (1 + streams_); }
  bool window_update() {
    return ++window_updates_ <= 5 + 2 * (streams_ + kMaxWindowUpdatesPerData * data_sent_);
  }
  bool continuation(bool first) {
    continuations_ = first ? 0 : continuations_ + 1;
    return continuations_ <= kMaxContinuations;
  }
  bool reset() { return ++resets_ <= kMaxResets + completed_; }

  void stream_opened() { ++streams_; }
  void stream_completed() { ++completed_; }
  void data_sent() { ++data_sent_; }

 private:
  uint32_t empty_ = 0;
  uint32_t continuations_ = 0;
  uint64_t priorities_ = 0;
  uint64_t window_updates_ = 0;
  uint64_t resets_ = 0;
  uint64_t streams_ = 0;
  uint64_t completed_ = 0;
  uint64_t data_sent_ = 0;
};

}  // namespace sennit::http::http2

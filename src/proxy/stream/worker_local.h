// What the request path keeps per worker thread: random bits, the wall clock and the Date field as
// of this second, and a free list of stream-sized blocks, so that a request allocates no object.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include "net/event_loop.h"
#include "proxy/stream/random.h"

namespace sennit::proxy {

// The wall clock, derived from the loop's monotonic time: it is read from the kernel at most once a
// second, when the Date field (RFC 9110 §5.6.7) is rendered too.
class WallClock {
 public:
  std::chrono::system_clock::time_point now(net::TimePoint monotonic);
  std::string_view date(net::TimePoint monotonic);  // "Sun, 06 Nov 1994 08:49:37 GMT"

 private:
  void refresh(net::TimePoint monotonic);
  net::TimePoint valid_from_{}, valid_until_{};
  std::chrono::system_clock::time_point wall_{};
  std::array<char, 29> date_{};
};

// Blocks of one size, given back and taken again in last-in first-out order (warm in the cache).
class FreeList {
 public:
  explicit FreeList(size_t block_size) : block_size_(block_size) {}
  ~FreeList();
  FreeList(const FreeList&) = delete;
  FreeList& operator=(const FreeList&) = delete;

  void* take();
  void give_back(void* block);

 private:
  // Beyond this many, blocks go back to the allocator: a burst is not paid for ever after.
  static constexpr size_t kMaxKept = 256;
  const size_t block_size_;
  std::vector<void*> blocks_;
};

struct WorkerLocal {
  Random random;
  WallClock clock;
};
WorkerLocal& worker_local();

}  // namespace sennit::proxy

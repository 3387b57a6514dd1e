// What circuit breakers count, exactly, over all workers: atomics shared by the workers of one
// cluster, touched when a connection, a queued request, a request or a retry begins and ends.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "proxy/upstream/cluster_config.h"

namespace sennit::proxy {

class BreakerCount {
 public:
  // False where `limit` is reached. `opened`: this one reached it.
  bool acquire(uint32_t limit, bool& opened) {
    uint32_t count = count_.load(std::memory_order_relaxed);
    do {
      if (count >= limit) return false;
    } while (!count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
    opened = count + 1 == limit;
    return true;
  }
  // Counts beyond the limit, too.
  void force(uint32_t limit, bool& opened) {
    opened = count_.fetch_add(1, std::memory_order_relaxed) + 1 == limit;
  }
  // `closed`: the limit is no longer reached. Never below zero.
  void release(uint32_t limit, bool& closed) {
    uint32_t count = count_.load(std::memory_order_relaxed);
    do {
      if (count == 0) return;
    } while (!count_.compare_exchange_weak(count, count - 1, std::memory_order_relaxed));
    closed = count == limit;
  }
  uint32_t value() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> count_{0};
};

struct PriorityBreakers {
  BreakerCount connections, pending, requests, retries;
};

// By priority: default, high. Lives as long as the cluster's name does, over updates.
struct ClusterBreakers {
  PriorityBreakers priorities[2];
};

// One breaker as a worker uses it: the count with its limit and its "open" gauge.
struct Breaker {
  BreakerCount& count;
  uint32_t limit;
  stats::GaugeId open;
  stats::Shard& shard;

  bool acquire() {
    bool opened = false;
    const bool acquired = count.acquire(limit, opened);
    if (opened) shard.add(open, 1);
    return acquired;
  }
  void force() {
    bool opened = false;
    count.force(limit, opened);
    if (opened) shard.add(open, 1);
  }
  void release() {
    bool closed = false;
    count.release(limit, closed);
    if (closed) shard.add(open, -1);
  }
};

}  // namespace sennit::proxy

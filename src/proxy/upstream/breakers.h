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
  // Each gives what to add to the breaker's "open" gauge, which is 1 while the limit is reached:
  // 1, 0 or -1. The limit may be another each time (a new configuration).

  // `acquired` is false where `limit` is reached.
  int acquire(uint32_t limit, bool& acquired) {
    uint32_t count = count_.load(std::memory_order_relaxed);
    do {
      if (count >= limit) {
        acquired = false;
        return settle(count, limit);
      }
    } while (!count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
    acquired = true;
    return settle(count + 1, limit);
  }
  // Counts beyond the limit, too.
  int force(uint32_t limit) {
    return settle(count_.fetch_add(1, std::memory_order_relaxed) + 1, limit);
  }
  // Never below zero: a retry may end after its cluster was removed and came back.
  int release(uint32_t limit) {
    uint32_t count = count_.load(std::memory_order_relaxed);
    do {
      if (count == 0) return 0;
    } while (!count_.compare_exchange_weak(count, count - 1, std::memory_order_relaxed));
    return settle(count - 1, limit);
  }
  uint32_t value() const { return count_.load(std::memory_order_relaxed); }

 private:
  int settle(uint32_t count, uint32_t limit) {
    const bool open = count >= limit;
    if (open_.load(std::memory_order_relaxed) == open ||
        open_.exchange(open, std::memory_order_relaxed) == open) {
      return 0;
    }
    return open ? 1 : -1;
  }
  std::atomic<uint32_t> count_{0};
  std::atomic<bool> open_{false};
};

struct PriorityBreakers {
  BreakerCount connections, pending, requests, retries;
};

// By priority: default, high. Lives as long as the cluster's name does, over updates.
struct ClusterBreakers {
  PriorityBreakers priorities[2];
};

// One breaker as a worker uses it: the count with its limit and its "open" gauge.
class Breaker {
 public:
  Breaker(BreakerCount& c, uint32_t l, stats::GaugeId o, stats::Shard& s)
      : count_(c), limit_(l), open_(o), shard_(s) {}
  bool acquire() {
    bool acquired = false;
    settle(count_.acquire(limit_, acquired));
    return acquired;
  }
  void force() { settle(count_.force(limit_)); }
  void release() { settle(count_.release(limit_)); }

 private:
  void settle(int change) {
    if (change != 0) shard_.add(open_, change);
  }
  BreakerCount& count_;
  uint32_t limit_;
  stats::GaugeId open_;
  stats::Shard& shard_;
};

}  // namespace sennit::proxy

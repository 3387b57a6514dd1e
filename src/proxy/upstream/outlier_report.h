// The workers' share of outlier detection: counting, on the host's own atomics; only a threshold
// that is just being crossed is told to the main thread. Any thread.
#pragma once

#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/worker_cluster.h"

namespace sennit::proxy {

template <typename Tell>
void count_outlier(const OutlierConfig& config, const Host& host, HostResult result, Tell&& tell) {
  constexpr auto relaxed = std::memory_order_relaxed;
  auto clear = [](std::atomic<uint32_t>& counter) {
    if (counter.load(relaxed) != 0) counter.store(0, relaxed);  // do not dirty a clean line
  };
  auto bump = [&](std::atomic<uint32_t>& counter, uint32_t threshold, OutlierEvent event) {
    if (counter.fetch_add(1, relaxed) + 1 == threshold) tell(event);
  };
  OutlierCounters& counters = host.outlier;
  const bool local = result == HostResult::LocalConnectFailure ||
                     result == HostResult::LocalTimeout || result == HostResult::LocalReset;
  const bool success = result == HostResult::Success;
  const size_t bucket = local && config.split_local_origin ? 1 : 0;
  counters.requests[bucket].fetch_add(1, relaxed);
  if (success) {
    counters.successes[bucket].fetch_add(1, relaxed);
    clear(counters.consecutive_5xx);
    clear(counters.consecutive_gateway_failure);
    clear(counters.consecutive_local_origin_failure);
    if (config.split_local_origin) {  // an answer is also a connection that worked
      counters.requests[1].fetch_add(1, relaxed);
      counters.successes[1].fetch_add(1, relaxed);
    }
    return;
  }
  if (bucket == 1) {
    bump(counters.consecutive_local_origin_failure, config.consecutive_local_origin_failure,
         OutlierEvent::ConsecutiveLocalOrigin);
    return;
  }
  bump(counters.consecutive_5xx, config.consecutive_5xx, OutlierEvent::Consecutive5xx);
  // Envoy takes a failure to connect for a 503, a timeout for a 504.
  if (result == HostResult::GatewayError || local) {
    bump(counters.consecutive_gateway_failure, config.consecutive_gateway_failure,
         OutlierEvent::ConsecutiveGateway);
  } else {
    clear(counters.consecutive_gateway_failure);
  }
}

}  // namespace sennit::proxy

// How often and on what a request is tried again (Envoy's RetryStateImpl): answers "would this
// outcome be retried", counts what is left, and says how long to wait. Holds the cluster's retry
// slot while another attempt is scheduled or running.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "http/header_map.h"
#include "proxy/route/route_table.h"
#include "proxy/stream/random.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {

enum class AttemptFailure : uint8_t;

enum class RetryDecision : uint8_t {
  No,  // the policy does not cover the outcome
  Yes,
  LimitExceeded,  // it does, but none is left: URX
  Overflow,       // it does, but the cluster has too many retries under way: UO
};

// The policy that binds one request: the route's, with what a trusted (`internal`) caller asks for
// in x-envoy-retry-on and its like, which are removed. nullptr: no retries.
std::shared_ptr<const RetryPolicy> retry_policy_for(const Route& route, http::HeaderMap& request,
                                                    bool internal);

class RetryState {
 public:
  explicit RetryState(std::shared_ptr<const RetryPolicy> policy)
      : policy_(std::move(policy)), remaining_(policy_->num_retries) {}

  bool covers_response(const http::HeaderMap& response) const;
  // `request_sent`: some of the request went out on the connection.
  bool covers_failure(AttemptFailure failure, bool request_sent) const;

  // Takes one of the retries for an outcome that is (`covered`) or is not retriable.
  RetryDecision decide(bool covered, WorkerCluster* cluster);
  // Gives the slot back; once the retry it was taken for is over.
  void release(WorkerCluster* cluster);
  bool holds_slot() const { return holds_slot_; }

  // Full jitter: random below base * 2^n, n counting up, at most the policy's longest.
  std::chrono::milliseconds next_backoff(Random& random);

  const RetryPolicy& policy() const { return *policy_; }

 private:
  std::shared_ptr<const RetryPolicy> policy_;
  uint32_t remaining_;
  uint32_t used_ = 0;
  bool holds_slot_ = false;
};

}  // namespace sennit::proxy

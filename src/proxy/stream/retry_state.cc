#include "proxy/stream/retry_state.h"

#include <algorithm>
#include <charconv>

#include "proxy/stream/router.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;

bool covers_grpc_status(uint32_t retry_on, const http::HeaderMap& response) {
  constexpr uint32_t kAnyGrpc = kRetryGrpcCancelled | kRetryGrpcDeadlineExceeded |
                                kRetryGrpcInternal | kRetryGrpcResourceExhausted |
                                kRetryGrpcUnavailable;
  if ((retry_on & kAnyGrpc) == 0) return false;
  const auto text = response.get(HeaderId::GrpcStatus);
  if (!text) return false;
  int status = 0;
  std::from_chars(text->data(), text->data() + text->size(), status);
  switch (status) {
    case 1:
      return retry_on & kRetryGrpcCancelled;
    case 4:
      return retry_on & kRetryGrpcDeadlineExceeded;
    case 8:
      return retry_on & kRetryGrpcResourceExhausted;
    case 13:
      return retry_on & kRetryGrpcInternal;
    case 14:
      return retry_on & kRetryGrpcUnavailable;
    default:
      return false;
  }
}

}  // namespace

bool RetryState::covers_response(const http::HeaderMap& response) const {
  const uint32_t retry_on = policy_->retry_on;
  if (response.has(HeaderId::XEnvoyRatelimited)) return retry_on & kRetryEnvoyRatelimited;
  const int status = response.status();
  if ((retry_on & kRetry5xx) && status >= 500 && status < 600) return true;
  if ((retry_on & kRetryGatewayError) && status >= 502 && status <= 504) return true;
  if ((retry_on & kRetryRetriable4xx) && status == 409) return true;
  if ((retry_on & kRetryRetriableStatusCodes) &&
      std::ranges::find(policy_->retriable_status_codes, static_cast<uint32_t>(status)) !=
          policy_->retriable_status_codes.end()) {
    return true;
  }
  return covers_grpc_status(retry_on, response);
}

bool RetryState::covers_failure(AttemptFailure failure, bool request_sent) const {
  const uint32_t retry_on = policy_->retry_on;
  if (failure == AttemptFailure::Overflow) return false;
  if (retry_on & (kRetryReset | kRetry5xx | kRetryGatewayError)) return true;
  if ((retry_on & kRetryResetBeforeRequest) && !request_sent) return true;
  if ((retry_on & kRetryRefusedStream) && failure == AttemptFailure::RemoteRefused) return true;
  return (retry_on & kRetryConnectFailure) &&
         (failure == AttemptFailure::ConnectFailure || failure == AttemptFailure::ConnectTimeout);
}

RetryDecision RetryState::decide(bool covered, WorkerCluster* cluster) {
  release(cluster);
  if (!covered || cluster == nullptr) return RetryDecision::No;
  if (remaining_ == 0) return RetryDecision::LimitExceeded;
  --remaining_;
  if (!cluster->try_acquire_retry()) return RetryDecision::Overflow;
  holds_slot_ = true;
  ++used_;
  return RetryDecision::Yes;
}

void RetryState::release(WorkerCluster* cluster) {
  if (!holds_slot_) return;
  holds_slot_ = false;
  if (cluster != nullptr) cluster->release_retry();
}

std::chrono::milliseconds RetryState::next_backoff(Random& random) {
  const uint32_t doublings =
      std::min(used_ > 0 ? used_ - 1 : 0, 16u);  // beyond: surely the longest
  const auto ceiling = std::min(policy_->backoff_base * (1u << doublings), policy_->backoff_max);
  if (ceiling.count() <= 0) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(random.next() % static_cast<uint64_t>(ceiling.count()));
}

}  // namespace sennit::proxy

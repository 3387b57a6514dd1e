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

namespace {

std::optional<uint32_t> parse_number(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename Visit>
void for_each_word(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view word = list.substr(0, comma);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (!word.empty()) visit(word);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

void read_caller_field(std::string_view name, std::string_view value, RetryPolicy& policy) {
  if (name == "x-envoy-retry-on" || name == "x-envoy-retry-grpc-on") {
    policy.retry_on |= parse_retry_on(value);
  } else if (name == "x-envoy-max-retries") {
    if (const auto number = parse_number(value)) policy.num_retries = *number;
  } else if (name == "x-envoy-retriable-status-codes") {
    for_each_word(value, [&](std::string_view word) {
      if (const auto code = parse_number(word)) policy.retriable_status_codes.push_back(*code);
    });
  } else {
    for_each_word(value, [&](std::string_view word) {
      envoy::config::route::v3::HeaderMatcher config;
      config.set_name(std::string(word));
      config.set_present_match(true);
      if (auto matcher = HeaderMatcher::create(config)) {
        policy.retriable_headers.push_back(std::move(*matcher));
      }
    });
  }
}

constexpr std::string_view kCallerFields[] = {
    "x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries",
    "x-envoy-retriable-status-codes", "x-envoy-retriable-header-names"};

bool any_matches(const std::vector<HeaderMatcher>& matchers, const http::HeaderMap& headers) {
  return std::ranges::any_of(
      matchers, [&](const HeaderMatcher& matcher) { return matcher.matches(headers); });
}

}  // namespace

std::shared_ptr<const RetryPolicy> retry_policy_for(const Route& route, http::HeaderMap& request,
                                                    bool internal) {
  std::shared_ptr<const RetryPolicy> policy = route.retry;
  if (internal) {
    std::shared_ptr<RetryPolicy> asked;
    for (const std::string_view name : kCallerFields) {
      const auto value = request.get(name);
      if (!value) continue;
      if (!asked) asked = std::make_shared<RetryPolicy>(policy ? *policy : RetryPolicy{});
      read_caller_field(name, *value, *asked);
      request.remove(name);
    }
    if (asked) policy = std::move(asked);
  }
  if (!policy || policy->retry_on == 0) return nullptr;
  const auto& only = policy->retriable_request_headers;
  return only.empty() || any_matches(only, request) ? policy : nullptr;
}

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
  if ((retry_on & kRetryRetriableHeaders) && any_matches(policy_->retriable_headers, response)) {
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

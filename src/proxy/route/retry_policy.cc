#include "proxy/route/retry_policy.h"

#include <envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h>

#include <algorithm>
#include <array>

#include "proxy/match/field_path.h"
#include "proxy/match/fraction.h"

namespace sennit::proxy {
namespace {

using Config = envoy::config::route::v3::RetryPolicy;
using Token = std::pair<std::string_view, uint32_t>;

constexpr auto kTokens = std::to_array<Token>({
    {"5xx", kRetry5xx},
    {"gateway-error", kRetryGatewayError},
    {"reset", kRetryReset},
    {"reset-before-request", kRetryResetBeforeRequest},
    {"connect-failure", kRetryConnectFailure},
    {"envoy-ratelimited", kRetryEnvoyRatelimited},
    {"retriable-4xx", kRetryRetriable4xx},
    {"refused-stream", kRetryRefusedStream},
    {"retriable-status-codes", kRetryRetriableStatusCodes},
    {"retriable-headers", kRetryRetriableHeaders},
    {"http3-post-connect-failure", kRetryHttp3PostConnectFailure},
    {"cancelled", kRetryGrpcCancelled},
    {"deadline-exceeded", kRetryGrpcDeadlineExceeded},
    {"internal", kRetryGrpcInternal},
    {"resource-exhausted", kRetryGrpcResourceExhausted},
    {"unavailable", kRetryGrpcUnavailable},
});

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

Status set_host_predicates(RetryPolicy& policy, const Config& config) {
  for (int i = 0; i < config.retry_host_predicate_size(); ++i) {
    const auto& predicate = config.retry_host_predicate(i);
    const bool known =
        predicate.has_typed_config()
            ? predicate.typed_config()
                  .Is<envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate>()
            : predicate.name() == "envoy.retry_host_predicates.previous_hosts";
    if (!known) return fail("retry_host_predicate[{}]: {} is not supported", i, predicate.name());
    policy.previous_hosts = true;
  }
  if (config.host_selection_retry_max_attempts() > 0) {
    policy.host_selection_max_attempts = static_cast<uint32_t>(
        std::min<int64_t>(config.host_selection_retry_max_attempts(), UINT32_MAX));
  }
  return {};
}

Status set_durations(RetryPolicy& policy, const Config& config) {
  auto per_try = to_milliseconds(config.per_try_timeout());
  if (!per_try) return std::unexpected(in_field(per_try.error(), "per_try_timeout"));
  auto idle = to_milliseconds(config.per_try_idle_timeout());
  if (!idle) return std::unexpected(in_field(idle.error(), "per_try_idle_timeout"));
  policy.per_try_timeout = *per_try;
  policy.per_try_idle_timeout = *idle;
  if (!config.has_retry_back_off()) return {};
  auto base = to_milliseconds(config.retry_back_off().base_interval());
  if (!base) return std::unexpected(in_field(base.error(), "retry_back_off.base_interval"));
  if (base->count() == 0) return fail("retry_back_off.base_interval: must be positive");
  policy.backoff_base = *base;
  policy.backoff_max = *base * 10;
  if (!config.retry_back_off().has_max_interval()) return {};
  auto max = to_milliseconds(config.retry_back_off().max_interval());
  if (!max) return std::unexpected(in_field(max.error(), "retry_back_off.max_interval"));
  if (*max < *base) return fail("retry_back_off.max_interval: is below base_interval");
  policy.backoff_max = *max;
  return {};
}

}  // namespace

uint32_t parse_retry_on(std::string_view text) {
  uint32_t bits = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const auto* token = std::ranges::find(kTokens, trimmed(word), &Token::first);
    if (token != kTokens.end()) bits |= token->second;
  }
  return bits;
}

Result<std::shared_ptr<const RetryPolicy>> make_retry_policy(const Config& config) {
  auto policy = std::make_shared<RetryPolicy>();
  policy->retry_on = parse_retry_on(config.retry_on());
  policy->num_retries = config.has_num_retries() ? config.num_retries().value() : 1;
  policy->retriable_status_codes.assign(config.retriable_status_codes().begin(),
                                        config.retriable_status_codes().end());
  if (auto ok = set_host_predicates(*policy, config); !ok) return std::unexpected(ok.error());
  if (auto ok = set_durations(*policy, config); !ok) return std::unexpected(ok.error());
  auto headers = make_header_matchers(config.retriable_headers(), "retriable_headers");
  if (!headers) return std::unexpected(headers.error());
  policy->retriable_headers = *std::move(headers);
  auto request =
      make_header_matchers(config.retriable_request_headers(), "retriable_request_headers");
  if (!request) return std::unexpected(request.error());
  policy->retriable_request_headers = *std::move(request);
  if (policy->retry_on == 0 && policy->per_try_timeout.count() == 0) return nullptr;
  return policy;
}

}  // namespace sennit::proxy

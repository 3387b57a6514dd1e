#include <envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h>

#include <charconv>

#include "mesh/translate/route_context.h"

namespace sennit::mesh {

namespace {

// Istio's default: only what surely has not reached the application.
constexpr const char* kDefaultRetryOn =
    "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
constexpr uint32_t kDefaultRetries = 2;
constexpr int64_t kHostSelectionAttempts = 5;
constexpr const char* kRetriableCodes = "retriable-status-codes";

void avoid_previous_hosts(route_v3::RetryPolicy& policy) {
  auto* predicate = policy.add_retry_host_predicate();
  predicate->set_name("envoy.retry_host_predicates.previous_hosts");
  *predicate->mutable_typed_config() =
      pack(envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate());
}

// "5xx,503,reset": numbers are status codes, the rest Envoy's conditions.
void split_conditions(std::string_view written, route_v3::RetryPolicy& policy) {
  std::string conditions;
  bool has_codes_condition = false;
  auto add = [&](std::string_view word) {
    if (!conditions.empty()) conditions += ',';
    conditions += word;
  };
  while (!written.empty()) {
    size_t comma = written.find(',');
    std::string_view word = written.substr(0, comma);
    written = comma == written.npos ? std::string_view() : written.substr(comma + 1);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (word.empty()) continue;
    uint32_t code = 0;
    auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), code);
    if (error == std::errc() && end == word.data() + word.size()) {
      policy.add_retriable_status_codes(code);
      continue;
    }
    has_codes_condition |= word == kRetriableCodes;
    add(word);
  }
  if (policy.retriable_status_codes_size() > 0 && !has_codes_condition) add(kRetriableCodes);
  policy.set_retry_on(conditions);
}

// Envoy's previous_priorities, whose proto is not among ours: update_frequency (field 1) 2.
void try_other_localities(route_v3::RetryPolicy& policy) {
  auto* priority = policy.mutable_retry_priority();
  priority->set_name("envoy.retry_priorities.previous_priorities");
  priority->mutable_typed_config()->set_type_url(
      "type.googleapis.com/"
      "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig");
  priority->mutable_typed_config()->set_value(std::string("\x08\x02", 2));
}

}  // namespace

std::optional<route_v3::RetryPolicy> make_retries(const api::HTTPRetry* retries, bool hashed) {
  if (retries != nullptr && retries->has_attempts() && retries->attempts() <= 0) {
    return std::nullopt;
  }
  route_v3::RetryPolicy policy;
  policy.set_retry_on(kDefaultRetryOn);
  policy.mutable_num_retries()->set_value(kDefaultRetries);
  policy.set_host_selection_retry_max_attempts(kHostSelectionAttempts);
  if (!hashed) avoid_previous_hosts(policy);
  if (retries == nullptr) return policy;
  if (!retries->has_attempts()) return std::nullopt;
  policy.mutable_num_retries()->set_value(static_cast<uint32_t>(retries->attempts()));
  if (!retries->retry_on().empty()) split_conditions(retries->retry_on(), policy);
  if (retries->has_per_try_timeout()) {
    *policy.mutable_per_try_timeout() = retries->per_try_timeout();
  }
  if (retries->has_retry_ignore_previous_hosts()) {
    policy.clear_retry_host_predicate();
    if (retries->retry_ignore_previous_hosts()) avoid_previous_hosts(policy);
  }
  if (retries->retry_remote_localities()) try_other_localities(policy);
  if (retries->has_backoff()) {
    *policy.mutable_retry_back_off()->mutable_base_interval() = retries->backoff();
  }
  return policy;
}

}  // namespace sennit::mesh

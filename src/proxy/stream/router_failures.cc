// How attempts fail and what becomes of the request: retries, replays, timeouts and the answers
// that operators know from Envoy.
#include <fmt/format.h>

#include <algorithm>

#include "proxy/stream/details.h"
#include "proxy/stream/router.h"
#include "proxy/stream/stream.h"
#include "proxy/stream/upstream_attempt.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {
namespace {

struct FailureText {
  std::string_view name;
  ResponseFlag flag;
};

FailureText failure_text(AttemptFailure failure) {
  switch (failure) {
    case AttemptFailure::ConnectFailure:
      return {"remote connection failure", ResponseFlag::UpstreamConnectionFailure};
    case AttemptFailure::ConnectTimeout:
      return {"connection timeout", ResponseFlag::UpstreamConnectionFailure};
    case AttemptFailure::Overflow:
      return {"overflow", ResponseFlag::UpstreamOverflow};
    case AttemptFailure::ConnectionTermination:
      return {"connection termination", ResponseFlag::UpstreamConnectionTermination};
    case AttemptFailure::RemoteReset:
      return {"remote reset", ResponseFlag::UpstreamRemoteReset};
    case AttemptFailure::RemoteRefused:
      return {"remote refused stream reset", ResponseFlag::UpstreamRemoteReset};
    case AttemptFailure::ProtocolError:
      return {"protocol error", ResponseFlag::UpstreamProtocolError};
    case AttemptFailure::LocalReset:
      break;
  }
  return {"local reset", ResponseFlag::LocalReset};
}

// RFC 9110 §9.2.2: may be sent again without knowing what became of the first.
bool idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE" ||
         method == "PUT" || method == "DELETE";
}

}  // namespace

void Router::on_attempt_failed(AttemptFailure failure, std::string_view transport_reason) {
  auto& stats = stream_.worker().stats;
  if (failure == AttemptFailure::RemoteReset || failure == AttemptFailure::RemoteRefused) {
    stats.inc(cluster_info_->stats.rq_rx_reset);
  }
  if (!transport_reason.empty()) {
    stream_.info().upstream.transport_failure_reason = transport_reason;
  }
  const bool request_sent = attempt_->request_sent();
  if (!response_started_) {
    if (replay_after_idle_race(failure)) return;
    const bool whole = keep_body_ || (!body_sent_ && retry_);
    if (retry_ &&
        retry(retry_->decide(whole && retry_->covers_failure(failure, request_sent), cluster()))) {
      return;
    }
  }
  fail_request(failure, transport_reason);
}

// The upstream closed an idle connection just as the request went out on it: nobody is to blame, so
// it is sent once more, outside the retry policy, where that is safe.
bool Router::replay_after_idle_race(AttemptFailure failure) {
  if (failure != AttemptFailure::ConnectionTermination || replayed_ || body_sent_) return false;
  if (!attempt_->reused_connection() || attempt_->response_begun()) return false;
  if (!idempotent(request().method())) return false;
  replayed_ = true;
  --attempts_;
  retire_attempt();
  begin_attempt();
  return true;
}

bool Router::retry(RetryDecision decision) {
  auto& stats = stream_.worker().stats;
  const ClusterStats& ids = cluster_info_->stats;
  switch (decision) {
    case RetryDecision::No:
      return false;
    case RetryDecision::LimitExceeded:
      stats.inc(ids.rq_retry_limit_exceeded);
      // Nothing was retried where the policy allows none.
      if (retry_->policy().num_retries > 0) {
        stream_.info().flags.set(ResponseFlag::UpstreamRetryLimitExceeded);
      }
      return false;
    case RetryDecision::Overflow:
      stats.inc(ids.rq_retry_overflow);
      stream_.info().flags.set(ResponseFlag::UpstreamOverflow);
      return false;
    case RetryDecision::Yes:
      break;
  }
  stats.inc(ids.rq_retry);
  retire_attempt();
  if (!backoff_timer_) backoff_timer_.emplace(stream_.worker().loop, [this] { begin_attempt(); });
  backoff_timer_->enable(retry_->next_backoff(worker_local().random));
  return true;
}

void Router::fail_request(AttemptFailure failure, std::string_view transport_reason) {
  const FailureText text = failure_text(failure);
  auto& stats = stream_.worker().stats;
  if (response_started_) {
    stats.inc(stream_.settings().stats.rq_reset_after_downstream_response_started);
  }
  const std::string body = fmt::format(
      "upstream connect error or disconnect/reset before headers. {}reset reason: {}{}{}",
      attempts_ > 1 ? "retried and the latest " : "", text.name,
      transport_reason.empty() ? "" : ", transport failure reason: ", transport_reason);
  std::string details = fmt::format("upstream_reset_{}_response_started{{{}{}{}}}",
                                    response_started_ ? "after" : "before", text.name,
                                    transport_reason.empty() ? "" : "|", transport_reason);
  std::ranges::replace(details, ' ', '_');
  ResponseFlags flags;
  flags.set(text.flag);
  const bool overflow = failure == AttemptFailure::Overflow;
  stream_.local_reply(
      {.status = failure == AttemptFailure::ProtocolError ? 502 : 503,
       .body = body,
       .details = details,
       .flags = flags,
       .overloaded = overflow && !stream_.settings().router.suppress_envoy_headers});
}

void Router::on_per_try_timeout(std::string_view details) {
  auto& stats = stream_.worker().stats;
  stats.inc(cluster_info_->stats.rq_per_try_timeout);
  retire_attempt(true);
  const bool covered = !response_started_ && (keep_body_ || !body_sent_) && retry_ &&
                       retry_->covers_failure(AttemptFailure::LocalReset, true);
  if (retry_ && retry(retry_->decide(covered, cluster()))) return;
  ResponseFlags flags;
  flags.set(ResponseFlag::UpstreamRequestTimeout);
  stream_.local_reply(
      {.status = 504, .body = "upstream request timeout", .details = details, .flags = flags});
}

void Router::on_global_timeout() {
  stream_.worker().stats.inc(cluster_info_->stats.rq_timeout);
  retire_attempt(true);
  ResponseFlags flags;
  flags.set(ResponseFlag::UpstreamRequestTimeout);
  stream_.local_reply({.status = 504,
                       .body = "upstream request timeout",
                       .details = details::kResponseTimeout,
                       .flags = flags});
}

}  // namespace sennit::proxy

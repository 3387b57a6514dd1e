#include "proxy/stream/router.h"

#include <fmt/format.h>

#include "proxy/stream/details.h"
#include "proxy/stream/limits.h"
#include "proxy/stream/mirror.h"
#include "proxy/stream/request_timeouts.h"
#include "proxy/stream/stream.h"
#include "proxy/stream/upstream_attempt.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {

using http::HeaderId;

namespace {

ResponseFlags one_flag(ResponseFlag flag) {
  ResponseFlags flags;
  flags.set(flag);
  return flags;
}

}  // namespace

Router::Router(Stream& stream) : stream_(stream) {}
Router::~Router() = default;

const http::HeaderMap& Router::request() const {
  return stream_.request();
}

WorkerCluster* Router::cluster() {
  return cluster_info_ ? stream_.worker().clusters.find(cluster_info_->name) : nullptr;
}

// --- the request on its way ------------------------------------------------------------------

void Router::start(bool end_stream) {
  request_ended_ = end_stream;
  stream_.worker().stats.inc(stream_.settings().stats.router_rq_total);
  if (answer_without_upstream() || !find_cluster()) return;
  if (auto policy = retry_policy_for(*route_, stream_.request(), stream_.head().internal)) {
    retry_.emplace(std::move(policy));
  }
  keep_body_ = retry_.has_value();
  choose_timeouts();
  finalize_request();
  if (!route_->mirrors.empty()) start_mirrors(end_stream);
  if (end_stream) request_complete();
  begin_attempt();
}

bool Router::answer_without_upstream() {
  auto& stats = stream_.worker().stats;
  const HcmStats& ids = stream_.settings().stats;
  route_ = stream_.route();
  if (route_ == nullptr) {
    stats.inc(ids.no_route);
    stream_.local_reply({.status = 404,
                         .details = details::kRouteNotFound,
                         .flags = one_flag(ResponseFlag::NoRouteFound)});
    return true;
  }
  if (route_->redirect) {
    stats.inc(ids.rq_redirect);
    const std::string location = route_->redirect->location(request());
    stream_.local_reply({.status = route_->redirect->status,
                         .details = details::kDirectResponse,
                         .location = location});
    return true;
  }
  if (route_->direct_response) {
    stats.inc(ids.rq_direct_response);
    stream_.local_reply({.status = route_->direct_response->status,
                         .body = route_->direct_response->body,
                         .details = details::kDirectResponse});
    return true;
  }
  return false;
}

bool Router::find_cluster() {
  choice_ = stream_.cluster_choice();
  std::string_view name;
  if (choice_ != nullptr) {
    name = choice_->cluster_header.empty() ? std::string_view(choice_->name)
                                           : request().get(choice_->cluster_header).value_or("");
  }
  WorkerCluster* found = name.empty() ? nullptr : stream_.worker().clusters.find(name);
  if (found == nullptr) {
    stream_.worker().stats.inc(stream_.settings().stats.no_cluster);
    stream_.local_reply({.status = route_->cluster_not_found_status,
                         .details = details::kClusterNotFound,
                         .flags = one_flag(ResponseFlag::NoClusterFound)});
    return false;
  }
  cluster_info_ = found->info();
  stream_.info().cluster = cluster_info_;
  return true;
}

void Router::choose_timeouts() {
  const RequestTimeouts timeouts =
      request_timeouts(*route_, request(), stream_.info().is_grpc, stream_.head().internal);
  global_timeout_ = timeouts.global;
  per_try_timeout_ = timeouts.per_try;
  per_try_idle_timeout_ = timeouts.per_try_idle;
  if (timeouts.stream_duration) stream_.limit_duration(*timeouts.stream_duration);
  if (stream_.head().internal) {  // said to us, not to those behind us
    stream_.request().remove("x-envoy-upstream-rq-timeout-ms");
    stream_.request().remove("x-envoy-upstream-rq-per-try-timeout-ms");
  }
}

void Router::finalize_request() {
  http::HeaderMap& request = stream_.request();
  const bool envoy_headers = !stream_.settings().router.suppress_envoy_headers;
  if (envoy_headers) {
    const auto expected = shorter_timeout(global_timeout_, per_try_timeout_);
    if (expected.count() > 0) {
      request.set(HeaderId::XEnvoyExpectedRqTimeoutMs, fmt::format_int(expected.count()).c_str());
    }
  }
  if (route_->include_attempt_count) request.set(HeaderId::XEnvoyAttemptCount, "1");
  if (route_->hash_policy) hash_ = route_->hash(request, stream_.info(), &set_cookie_);
  route_->apply_request_headers(*choice_, request, stream_.info());

  if (const auto host = route_->rewritten_host(*choice_, request)) {
    rewrite_host(request, *host, *route_, envoy_headers);
  }
  std::string before(request.path());
  if (route_->rewrite_path(request) && envoy_headers) {
    request.set(HeaderId::XEnvoyOriginalPath, before);
  }
}

void Router::start_mirrors(bool end_stream) {
  auto& random = worker_local().random;
  for (const MirrorPolicy& policy : route_->mirrors) {
    if (random.next() % policy.denominator >= policy.numerator) continue;
    http::HeaderMap copy = request().clone();
    if (!policy.disable_host_suffix) mark_host_as_shadow(copy);
    auto mirror =
        Mirror::start(stream_.worker().clusters, policy.cluster, std::move(copy), end_stream,
                      *stream_.info().protocol, global_timeout_, random.next());
    if (mirror && !end_stream) mirrors_.push_back(std::move(mirror));
  }
}

void Router::begin_attempt() {
  WorkerCluster* found = cluster();
  PickContext context;
  context.headers = &request();
  context.downstream = stream_.info().downstream;
  context.hash = hash_;
  context.metadata_match = choice_->metadata_match;
  context.attempt = attempts_;
  context.random = worker_local().random.next();
  if (retry_ && retry_->policy().previous_hosts) {
    context.attempted = attempted_;
    context.host_selection_retries = retry_->policy().host_selection_max_attempts;
  }
  HostPtr host = found ? found->pick(context) : nullptr;
  if (!host) {
    return stream_.local_reply({.status = 503,
                                .body = "no healthy upstream",
                                .details = details::kNoHealthyUpstream,
                                .flags = one_flag(ResponseFlag::NoHealthyUpstream)});
  }
  stream_.info().upstream.attempts = ++attempts_;
  stream_.info().upstream.host = host;
  http::HeaderMap& request = stream_.request();
  if (attempts_ > 1 && route_->include_attempt_count) {
    request.set(HeaderId::XEnvoyAttemptCount, fmt::format_int(attempts_).c_str());
  }
  if (route_->auto_host_rewrite && !host->hostname.empty()) {
    rewrite_host(request, host->hostname, *route_, false);
  }
  if (retry_ && retry_->policy().previous_hosts && attempted_.size() < limits::kAttemptedHosts) {
    attempted_.push_back(host);
  }
  attempt_.reset(new UpstreamAttempt(*this, std::move(host)));
  if (request_ended_) attempt_->arm_per_try_timeout(per_try_timeout_);
  attempt_->arm_per_try_idle_timeout(per_try_idle_timeout_);
  attempt_->start(*found, route_->priority);
}

void Router::on_attempt_ready() {
  const bool has_body = !body_.empty();
  const bool end_with_headers = request_ended_ && !has_body && trailers_ == nullptr;
  if (stream_.response_above_watermark()) attempt_->pause_response(true);
  UpstreamAttempt& attempt = *attempt_;
  attempt.send_headers(request(), end_with_headers);
  if (end_with_headers || !attempt.ready()) return;
  if (has_body) {
    attempt.send_data(body_.view(), request_ended_ && trailers_ == nullptr);
    if (!keep_body_) {
      body_.clear();
      body_sent_ = true;
    }
  }
  if (trailers_ != nullptr && attempt.ready()) attempt.send_trailers(*trailers_);
  if (body_paused_) {
    body_paused_ = false;
    stream_.pause_request(false);
  }
}

void Router::data(std::string_view data, bool end_stream) {
  if (over_) return;
  request_ended_ = end_stream;
  for (const auto& mirror : mirrors_) mirror->data(data, end_stream);
  const bool ready = attempt_ && attempt_->ready();
  if (keep_body_ && body_.size() + data.size() > route_->retry_shadow_buffer_limit) {
    // Too large to send twice.
    keep_body_ = false;
    stream_.worker().stats.inc(cluster_info_->stats.retry_or_shadow_abandoned);
    if (ready && !body_.empty()) {
      body_.clear();
      body_sent_ = true;
    }
  }
  if (keep_body_ || !ready) body_.append(data);
  if (ready) {
    body_sent_ = body_sent_ || (!keep_body_ && !data.empty());
    attempt_->send_data(data, end_stream);
  } else if (!end_stream && !body_paused_ && body_.size() > limits::kHeldBodyBytes) {
    body_paused_ = true;
    stream_.pause_request(true);
  }
  if (end_stream) request_complete();
}

void Router::trailers(const http::HeaderMap& trailers) {
  if (over_) return;
  trailers_ = &trailers;
  request_ended_ = true;
  for (const auto& mirror : mirrors_) mirror->trailers(trailers);
  if (attempt_ && attempt_->ready()) attempt_->send_trailers(trailers);
  request_complete();
}

// Timeouts count from the end of the request, so that a slow client is not the upstream's fault.
void Router::request_complete() {
  if (over_) return;
  if (global_timeout_.count() > 0 && !global_timer_) {
    global_timer_.emplace(stream_.worker().loop, [this] { on_global_timeout(); });
    global_timer_->enable(global_timeout_);
  }
  if (attempt_) attempt_->arm_per_try_timeout(per_try_timeout_);
}

void Router::pause_response(bool pause) {
  if (attempt_) attempt_->pause_response(pause);
}

// --- the response on its way -----------------------------------------------------------------

void Router::on_attempt_1xx(http::HeaderMap&& headers) {
  stream_.respond_1xx(std::move(headers));
}

void Router::on_attempt_headers(http::HeaderMap&& headers, bool end_stream) {
  const int status = headers.status();
  if (retry_) {
    const bool covered = retry_->covers_response(headers);
    if (retry(retry_->decide(keep_body_ && covered, cluster()))) return;
    if (!covered && attempts_ > 1) {
      stream_.worker().stats.inc(cluster_info_->stats.rq_retry_success);
    }
    retry_->release(cluster());
    keep_body_ = false;  // there will be no other attempt
    body_.clear();
  }
  response_started_ = true;
  attempt_->disarm_per_try_timeout();
  const bool tunnel = status == 101 || (status / 100 == 2 && stream_.head().upgrade == "connect");
  if (tunnel) global_timer_.reset();
  if (request_ended_ && !stream_.settings().router.suppress_envoy_headers) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        stream_.worker().loop.now() - stream_.request_end_time());
    headers.set(HeaderId::XEnvoyUpstreamServiceTime, fmt::format_int(took.count()).c_str());
  }
  if (route_->include_attempt_count_in_response) {
    headers.set(HeaderId::XEnvoyAttemptCount, fmt::format_int(attempts_).c_str());
  }
  if (!set_cookie_.empty()) headers.add(HeaderId::SetCookie, set_cookie_);
  // An HTTP/2 upstream has no way to name what a tunnel is.
  if (status == 101 && !headers.has(HeaderId::Upgrade)) {
    headers.add(HeaderId::Upgrade, stream_.head().upgrade);
  }
  route_->apply_response_headers(choice_, headers, request(), stream_.info());
  stream_.respond_headers(std::move(headers), end_stream);
}

void Router::on_attempt_data(std::string_view data, bool end_stream) {
  stream_.respond_data(data, end_stream);
}

void Router::on_attempt_trailers(http::HeaderMap&& trailers) {
  stream_.respond_trailers(std::move(trailers));
}

// --- the end ---------------------------------------------------------------------------------

void Router::retire_attempt(bool timed_out) {
  if (!attempt_) return;
  attempt_->give_up(timed_out);
  stream_.worker().loop.defer_delete(std::move(attempt_));
}

void Router::cancel() {
  if (over_) return;
  over_ = true;
  retire_attempt();
  global_timer_.reset();
  backoff_timer_.reset();
  if (retry_) retry_->release(cluster());
  for (const auto& mirror : mirrors_) mirror->abandon();
  mirrors_.clear();
  if (body_paused_) {
    body_paused_ = false;
    stream_.pause_request(false);
  }
}

}  // namespace sennit::proxy

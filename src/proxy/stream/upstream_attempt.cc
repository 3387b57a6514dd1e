#include "proxy/stream/upstream_attempt.h"

#include <new>

#include "proxy/stream/details.h"
#include "proxy/stream/stream.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {
namespace {

FreeList& attempt_blocks() {
  thread_local FreeList list(sizeof(UpstreamAttempt));
  return list;
}

AttemptFailure failure_of(PoolFailure reason) {
  switch (reason) {
    case PoolFailure::Overflow:
      return AttemptFailure::Overflow;
    case PoolFailure::ConnectTimeout:
      return AttemptFailure::ConnectTimeout;
    case PoolFailure::ConnectFailure:
      break;
  }
  return AttemptFailure::ConnectFailure;
}

AttemptFailure failure_of(http::ResetReason reason) {
  switch (reason) {
    case http::ResetReason::RemoteReset:
      return AttemptFailure::RemoteReset;
    case http::ResetReason::RemoteRefused:
      return AttemptFailure::RemoteRefused;
    case http::ResetReason::ConnectionTermination:
      return AttemptFailure::ConnectionTermination;
    case http::ResetReason::ConnectionFailure:
      return AttemptFailure::ConnectFailure;
    case http::ResetReason::ProtocolError:
      return AttemptFailure::ProtocolError;
    case http::ResetReason::Overflow:
    case http::ResetReason::LocalReset:
    case http::ResetReason::LocalRefused:
      break;
  }
  return AttemptFailure::LocalReset;
}

HostResult result_of(int status) {
  if (status >= 502 && status <= 504) return HostResult::GatewayError;
  return status >= 500 ? HostResult::Error5xx : HostResult::Success;
}

}  // namespace

void* UpstreamAttempt::operator new(size_t) {
  return attempt_blocks().take();
}
void UpstreamAttempt::operator delete(void* block) {
  attempt_blocks().give_back(block);
}

UpstreamAttempt::UpstreamAttempt(Router& router, HostPtr host)
    : router_(&router),
      host_(std::move(host)),
      info_(router.stream().info().cluster),
      clusters_(router.stream().worker().clusters),
      loop_(router.stream().worker().loop) {}

UpstreamAttempt::~UpstreamAttempt() = default;

void UpstreamAttempt::start(WorkerCluster& cluster, uint32_t priority) {
  const StreamInfo& info = router_->stream().info();
  const StreamOptions options{.downstream = info.protocol.value_or(http::Protocol::Http11),
                              .alpn_override = info.alpn_override,
                              .priority = priority,
                              .authority = router_->request().authority()};
  auto pending = cluster.new_stream_with(host_, options, *this, *this);
  // Where the outcome came from inside, there is nothing left to wait for.
  if (router_ != nullptr && encoder_ == nullptr) pending_ = std::move(pending);
}

void UpstreamAttempt::on_pool_ready(http::RequestEncoder& encoder, http::Protocol protocol,
                                    const net::Connection& connection, bool reused) {
  if (router_ == nullptr) return encoder.reset(http::ResetReason::LocalReset);
  encoder_ = &encoder;
  protocol_ = protocol;
  reused_ = reused;
  ready_at_ = loop_.now();
  encoder.set_callbacks(this);
  UpstreamInfo& upstream = router_->stream().info().upstream;
  upstream.local_address = connection.local_address();
  upstream.protocol = protocol;
  upstream.tls = connection.tls();
  if (upstream.tls != nullptr) {
    upstream.was_tls = true;
    upstream.peer_principal = upstream.tls->peer_principal();
    if (!upstream.tls->local_uri_sans.empty()) {
      upstream.local_principal = upstream.tls->local_uri_sans.front();
    }
  }
  // What the request before left in the connection's buffer.
  if (encoder.above_write_watermark()) on_above_write_watermark();
  router_->on_attempt_ready();
}

void UpstreamAttempt::on_pool_failure(PoolFailure reason, std::string_view transport_reason) {
  if (router_ == nullptr) return;
  // An open circuit breaker is no fault of the host's.
  if (reason != PoolFailure::Overflow) report(HostResult::LocalConnectFailure);
  router_->on_attempt_failed(failure_of(reason), transport_reason);
}

// --- the request -----------------------------------------------------------------------------

void UpstreamAttempt::send_headers(const http::HeaderMap& headers, bool end_stream) {
  Stream& stream = router_->stream();
  StreamInfo& info = stream.info();
  const auto now = loop_.now() - info.start;
  if (info.first_upstream_byte_sent.count() == 0) info.first_upstream_byte_sent = now;
  if (end_stream) info.last_upstream_byte_sent = now;
  request_ended_ = end_stream;
  encoder_->encode_headers(headers, end_stream);
}

void UpstreamAttempt::send_data(std::string_view data, bool end_stream) {
  if (end_stream) {
    request_ended_ = true;
    StreamInfo& info = router_->stream().info();
    info.last_upstream_byte_sent = loop_.now() - info.start;
  }
  encoder_->encode_data(data, end_stream);
}

void UpstreamAttempt::send_trailers(const http::HeaderMap& trailers) {
  request_ended_ = true;
  encoder_->encode_trailers(trailers);
}

void UpstreamAttempt::pause_response(bool pause) {
  if (encoder_ != nullptr && !response_ended_) encoder_->read_disable(pause);
}

void UpstreamAttempt::on_above_write_watermark() {
  if (router_ == nullptr || request_paused_) return;
  request_paused_ = true;
  router_->stream().pause_request(true);
}

void UpstreamAttempt::on_below_write_watermark() {
  if (router_ == nullptr || !request_paused_) return;
  request_paused_ = false;
  router_->stream().pause_request(false);
}

// --- the response ----------------------------------------------------------------------------

void UpstreamAttempt::note_received() {
  StreamInfo& info = router_->stream().info();
  const auto now = loop_.now() - info.start;
  if (info.first_upstream_byte_received.count() == 0) info.first_upstream_byte_received = now;
  info.last_upstream_byte_received = now;
  if (idle_timer_) idle_timer_->enable(idle_timeout_);
}

void UpstreamAttempt::on_1xx(http::HeaderMap&& headers) {
  if (router_ == nullptr) return;
  note_received();
  router_->on_attempt_1xx(std::move(headers));
}

void UpstreamAttempt::on_headers(http::HeaderMap&& headers, bool end_stream) {
  if (router_ == nullptr) return;
  status_ = headers.status();
  response_time_ = std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now() - ready_at_);
  note_received();
  if (end_stream) response_complete();
  router_->on_attempt_headers(std::move(headers), end_stream);
}

void UpstreamAttempt::on_data(std::string_view data, bool end_stream) {
  if (router_ == nullptr) return;
  note_received();
  if (end_stream) response_complete();
  router_->on_attempt_data(data, end_stream);
}

void UpstreamAttempt::on_trailers(http::HeaderMap&& trailers) {
  if (router_ == nullptr) return;
  note_received();
  response_complete();
  router_->on_attempt_trailers(std::move(trailers));
}

void UpstreamAttempt::response_complete() {
  response_ended_ = true;
  per_try_timer_.reset();
  idle_timer_.reset();
  report(result_of(status_));
  if (!request_ended_ || encoder_ == nullptr) return;
  // The codec may still have the end of the request to send, but nothing more to tell.
  std::exchange(encoder_, nullptr)->set_callbacks(nullptr);
}

void UpstreamAttempt::on_reset(http::ResetReason reason) {
  encoder_ = nullptr;
  if (router_ == nullptr) return;
  if (reason != http::ResetReason::Overflow) report(HostResult::LocalReset);
  router_->on_attempt_failed(failure_of(reason), {});
}

// --- the end ---------------------------------------------------------------------------------

void UpstreamAttempt::report(HostResult result) {
  if (reported_) return;
  reported_ = true;
  if (WorkerCluster* cluster = clusters_.find(info_->name)) {
    cluster->report(host_, result, status_, response_time_);
  }
}

void UpstreamAttempt::give_up(bool timed_out) {
  if (router_ == nullptr) return;
  if (request_paused_) {
    request_paused_ = false;
    router_->stream().pause_request(false);
  }
  router_->stream().info().upstream.tls = nullptr;
  router_ = nullptr;
  per_try_timer_.reset();
  idle_timer_.reset();
  pending_.reset();
  if (timed_out) {
    report(HostResult::LocalTimeout);
  } else if (status_ != 0) {
    report(result_of(status_));
  }
  if (auto* encoder = std::exchange(encoder_, nullptr)) {
    clusters_.stats().inc(info_->stats.rq_tx_reset);
    encoder->set_callbacks(nullptr);
    encoder->reset(http::ResetReason::LocalReset);
  }
}

void UpstreamAttempt::arm_per_try_timeout(std::chrono::milliseconds timeout) {
  if (timeout.count() == 0 || per_try_timer_) return;
  per_try_timer_.emplace(loop_, [this] { router_->on_per_try_timeout(details::kPerTryTimeout); });
  per_try_timer_->enable(timeout);
}

void UpstreamAttempt::arm_per_try_idle_timeout(std::chrono::milliseconds timeout) {
  if (timeout.count() == 0) return;
  idle_timeout_ = timeout;
  idle_timer_.emplace(loop_, [this] { router_->on_per_try_timeout(details::kPerTryIdleTimeout); });
  idle_timer_->enable(timeout);
}

}  // namespace sennit::proxy

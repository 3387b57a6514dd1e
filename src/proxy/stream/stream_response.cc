// The second half of stream.h: the response, the end, flow control and timers.
#include <fmt/format.h>

#include <utility>

#include "proxy/stream/details.h"
#include "proxy/stream/server_connection.h"
#include "proxy/stream/stream.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {

using http::HeaderId;

// --- the response ----------------------------------------------------------------------------

void Stream::respond_1xx(http::HeaderMap&& headers) {
  if (encoder_ == nullptr || response_started_) return;
  if (headers.status() == 100 && !settings_.proxy_100_continue) return;  // sent already
  encoder_->encode_1xx(headers);
}

void Stream::respond_headers(http::HeaderMap&& headers, bool end_stream) {
  response_ = std::move(headers);
  if (info_.response_code_details.empty()) info_.response_code_details = details::kViaUpstream;
  send_headers(end_stream);
}

void Stream::send_headers(bool end_stream) {
  if (settings_.filter_hooks & kResponseHeaders) {
    pending_response_ = &response_;
    for (size_t i = filters_.size(); i-- > 0;) {
      if (filters_[i].wants(kResponseHeaders)) {
        filters_[i].filter().on_response_headers(response_, end_stream);
      }
    }
  }
  if (!response_.has(HeaderId::Date)) {
    response_.add(HeaderId::Date, worker_local().clock.date(worker().loop.now()));
  }
  if (settings_.server_header == ServerHeader::Overwrite ||
      (settings_.server_header == ServerHeader::AppendIfAbsent &&
       !response_.has(HeaderId::Server))) {
    response_.set(HeaderId::Server, settings_.server_name);
  }
  if (!settings_.via.empty()) response_.append_to(HeaderId::Via, settings_.via);
  if (settings_.request_id_in_response) {
    if (const auto id = request_.get(HeaderId::XRequestId))
      response_.set(HeaderId::XRequestId, *id);
  }
  remove_hop_by_hop(response_, response_.status() == 101 ? head_.upgrade : std::string_view());
  if (close_connection_ && info_.protocol != http::Protocol::Http2) {
    response_.set(HeaderId::Connection, "close");
  }
  info_.response_code = response_.status();
  response_started_ = true;
  if (end_stream) note_response_end();
  touch_idle_timer();
  encoder_->encode_headers(response_, end_stream);
  if (end_stream) finish_if_done();
}

void Stream::respond_data(std::string_view data, bool end_stream) {
  if (complete_ || encoder_ == nullptr) return;
  info_.bytes_sent += data.size();
  if (settings_.filter_hooks & kResponseData) {
    for (size_t i = filters_.size(); i-- > 0;) {
      if (filters_[i].wants(kResponseData)) filters_[i].filter().on_response_data(data, end_stream);
    }
  }
  if (end_stream) note_response_end();
  touch_idle_timer();
  encoder_->encode_data(data, end_stream);
  if (end_stream) finish_if_done();
}

void Stream::respond_trailers(http::HeaderMap&& trailers) {
  if (complete_ || encoder_ == nullptr) return;
  response_trailers_ = std::move(trailers);
  for (size_t i = filters_.size(); i-- > 0;) {
    if (filters_[i].wants(kResponseTrailers)) {
      filters_[i].filter().on_response_trailers(response_trailers_);
    }
  }
  note_response_end();
  encoder_->encode_trailers(response_trailers_);
  finish_if_done();
}

void Stream::local_reply(const LocalReply& reply) {
  if (complete_ || response_ended_) return;
  for (size_t i = 0; i < static_cast<size_t>(ResponseFlag::Count); ++i) {
    const auto flag = static_cast<ResponseFlag>(i);
    if (reply.flags.has(flag)) info_.flags.set(flag);
  }
  info_.response_code_details = reply.details;
  if (router_) router_->cancel();
  if (response_started_) {
    // Too late for an answer: the client learns by the stream's reset.
    worker().stats.inc(settings_.stats.rq_tx_reset);
    auto* encoder = std::exchange(encoder_, nullptr);
    finish();
    return encoder->reset(http::ResetReason::LocalReset);
  }
  // Over HTTP/1 the rest of the request would have to be read before the next one.
  if (!request_ended_) close_connection_ = true;
  std::string body;
  response_.clear();
  if (route_resolved_ && route_ != nullptr) {
    route_->apply_response_headers(choice_, response_, request_, info_);
    if (route_->include_attempt_count_in_response && info_.upstream.attempts > 0) {
      response_.set(HeaderId::XEnvoyAttemptCount, fmt::format_int(info_.upstream.attempts).c_str());
    }
  }
  finish_local_reply(reply, settings_.local_reply, info_, request_, response_, body);
  const bool headers_only = body.empty() || head_.is_head;
  send_headers(headers_only);
  if (!headers_only) respond_data(body, true);
}

void Stream::note_response_end() {
  response_ended_ = true;
  info_.end = worker().loop.now();
}

// --- the end ---------------------------------------------------------------------------------

void Stream::finish_if_done() {
  if (complete_ || !response_ended_) return;
  if (request_ended_) return finish();
  // The client still sends what nobody wants to read (RFC 9113 §8.1); over HTTP/1 the codec closes.
  worker().stats.inc(settings_.stats.rq_response_before_rq_complete);
  auto* encoder = std::exchange(encoder_, nullptr);
  finish();
  encoder->reset(http::ResetReason::LocalReset);
}

void Stream::on_reset(http::ResetReason reason) {
  encoder_ = nullptr;
  if (complete_) return;
  if (response_ended_) return finish();
  worker().stats.inc(settings_.stats.rq_rx_reset);
  if (reason == http::ResetReason::RemoteReset || reason == http::ResetReason::RemoteRefused) {
    info_.flags.set(ResponseFlag::DownstreamRemoteReset);
    info_.response_code_details = details::kDownstreamRemoteReset;
  } else if (reason == http::ResetReason::ProtocolError) {
    info_.flags.set(ResponseFlag::DownstreamProtocolError);
    info_.response_code_details = "codec_error";
  } else {
    info_.flags.set(ResponseFlag::DownstreamConnectionTermination);
    info_.response_code_details = details::kDownstreamRemoteDisconnect;
  }
  finish();
}

void Stream::on_connection_lost(std::string_view details) {
  if (complete_) return;
  if (auto* encoder = std::exchange(encoder_, nullptr)) encoder->set_callbacks(nullptr);
  if (response_ended_) return finish();
  info_.flags.set(ResponseFlag::DownstreamConnectionTermination);
  info_.response_code_details = details;
  finish();
}

void Stream::finish() {
  complete_ = true;
  idle_timer_.reset();
  duration_timer_.reset();
  request_timer_.reset();
  if (info_.end == net::TimePoint{}) info_.end = worker().loop.now();
  if (router_) router_->cancel();
  count_and_log();
  // The codec may still have the end of the response to send. Where it has closed the stream from
  // inside an encode call, the encoder lasts until the end of the event batch.
  if (auto* encoder = std::exchange(encoder_, nullptr)) encoder->set_callbacks(nullptr);
  connection_.stream_finished(*this);
}

void Stream::count_and_log() {
  auto& stats = worker().stats;
  stats.inc(settings_.stats.rq_completed);
  const int response_class = info_.response_code / 100;
  if (response_class >= 1 && response_class <= 5) {
    stats.inc(settings_.stats.rq_by_class[response_class - 1]);
  }
  const auto duration =
      std::chrono::duration_cast<std::chrono::milliseconds>(info_.end - info_.start);
  stats.record(settings_.stats.rq_time, static_cast<uint64_t>(duration.count()));
  if (info_.is_grpc && !info_.grpc_status) {
    auto text = response_trailers_.get(HeaderId::GrpcStatus);
    if (!text) text = response_.get(HeaderId::GrpcStatus);
    if (text && !text->empty() && text->size() <= 3) {
      int status = 0;
      for (const char c : *text) status = status * 10 + (c - '0');
      info_.grpc_status = status;
    }
  }
  if (settings_.filter_hooks & kComplete) {
    for (FilterSlot& slot : filters_) {
      if (slot.wants(kComplete)) slot.filter().on_complete(info_);
    }
  }
  for (const auto& log : settings_.access_logs) {
    log->log(info_, &request_, &response_, &response_trailers_);
  }
}

// --- flow control and timers -----------------------------------------------------------------

void Stream::on_above_write_watermark() {
  response_paused_ = true;
  if (router_) router_->pause_response(true);
}

void Stream::on_below_write_watermark() {
  response_paused_ = false;
  if (router_) router_->pause_response(false);
}

void Stream::on_idle_timeout() {
  worker().stats.inc(settings_.stats.rq_idle_timeout);
  ResponseFlags flags;
  flags.set(ResponseFlag::StreamIdleTimeout);
  local_reply({.status = request_ended_ ? 504 : 408,
               .body = "stream timeout",
               .details = details::kStreamIdleTimeout,
               .flags = flags});
}

void Stream::on_duration_timeout() {
  worker().stats.inc(settings_.stats.rq_max_duration_reached);
  ResponseFlags flags;
  flags.set(ResponseFlag::DurationTimeout);
  local_reply({.status = request_ended_ ? 504 : 408,
               .body = "downstream duration timeout",
               .details = details::kMaxDuration,
               .flags = flags,
               .grpc_status = 4});
}

void Stream::on_request_timeout() {
  worker().stats.inc(settings_.stats.rq_timeout);
  local_reply({.status = 408, .body = "request timeout", .details = details::kRequestTimeout});
}

}  // namespace sennit::proxy

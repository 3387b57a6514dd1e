#include "proxy/upstream/pooled_connection.h"

#include <algorithm>

namespace sennit::proxy {

PooledConnection::PooledConnection(ConnectionPool& pool,
                                   std::unique_ptr<net::Connection> connection)
    : pool_(pool), connection_(std::move(connection)), began_(pool.context_.loop.now()) {
  connection_->set_callbacks(this);
  connection_->set_write_watermark(pool.info().per_connection_buffer_limit);
}

PooledConnection::~PooledConnection() {
  // The pool goes with its streams in flight (the process ends): tell none of them.
  connection_->set_callbacks(nullptr);
}

bool PooledConnection::has_room() const {
  if (!codec_ || retired_) return false;
  if (codec_->protocol() != http::Protocol::Http2) return active_ == 0;
  return active_ < std::min(codec_->max_concurrent_streams(),
                            pool_.info().http2_options.limits.max_concurrent_streams);
}

http::RequestEncoder& PooledConnection::new_stream(http::ResponseDecoder& decoder) {
  ++active_;
  ++served_;
  if (idle_timer_) idle_timer_->disable();
  const uint32_t most = pool_.info().max_requests_per_connection;
  if (most != 0 && served_ >= most) {
    retired_ = true;
    pool_.shard().inc(pool_.stats().cx_max_requests);
  }
  return codec_->new_stream(decoder);
}

void PooledConnection::on_data(net::Buffer& input, bool end_stream) {
  if (auto status = codec_->dispatch(input, end_stream); !status) {
    retired_ = true;
    pool_.set_ready(*this, false);
    connection_->close(net::CloseType::FlushWrite);
  } else if (active_ == 0 && !input.empty() && codec_->protocol() != http::Protocol::Http2) {
    // Bytes that nobody asked for: the framing cannot be trusted any more.
    connection_->close(net::CloseType::NoFlush);
  }
}

void PooledConnection::become_connected() {
  const ClusterInfo& info = pool_.info();
  bool http2 = pool_.key_.version == ClusterInfo::HttpVersion::Http2;
  if (pool_.key_.version == ClusterInfo::HttpVersion::Auto && connection_->tls()) {
    http2 = connection_->tls()->alpn == "h2" || connection_->tls()->alpn == "istio-h2";
  }
  codec_ = http2 ? http::make_http2_client(*connection_, info.http2_options, *this)
                 : http::make_http1_client(*connection_, info.http1_options, *this);
  stats::Shard& shard = pool_.shard();
  shard.inc(http2 ? pool_.stats().cx_http2_total : pool_.stats().cx_http1_total);
  shard.record(pool_.stats().cx_connect_ms,
               static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                         pool_.context_.loop.now() - began_)
                                         .count()));
  if (info.idle_timeout.count() > 0) {
    idle_timer_ = std::make_unique<net::Timer>(pool_.context_.loop, [this] {
      pool_.shard().inc(pool_.stats().cx_idle_timeout);
      connection_->close(net::CloseType::NoFlush);
    });
  }
  if (info.max_connection_duration.count() > 0) {
    duration_timer_ = std::make_unique<net::Timer>(pool_.context_.loop, [this] {
      pool_.shard().inc(pool_.stats().cx_max_duration_reached);
      retired_ = true;
      pool_.set_ready(*this, false);
      if (active_ == 0) connection_->close(net::CloseType::NoFlush);
    });
    duration_timer_->enable(info.max_connection_duration);
  }
  set_idle();
}

void PooledConnection::set_idle() {
  if (idle_timer_) idle_timer_->enable(pool_.info().idle_timeout);
}

void PooledConnection::on_event(net::ConnectionEvent event) {
  if (event == net::ConnectionEvent::Connected) {
    become_connected();
    pool_.on_connected(*this);
    return;
  }
  if (event != net::ConnectionEvent::RemoteClose && event != net::ConnectionEvent::LocalClose)
    return;
  retired_ = true;
  pool_.set_ready(*this, false);
  if (codec_) codec_->on_connection_closed();
  pool_.on_closed(*this, event);
}

void PooledConnection::on_above_write_watermark() {
  if (codec_) codec_->on_connection_above_watermark();
}

void PooledConnection::on_below_write_watermark() {
  if (codec_) codec_->on_connection_below_watermark();
}

void PooledConnection::on_goaway() {
  pool_.shard().inc(pool_.stats().cx_close_notify);
  retired_ = true;
  pool_.set_ready(*this, false);
  if (active_ == 0) pool_.context_.loop.schedule_flush(&pool_);
}

void PooledConnection::on_max_concurrent_streams(uint32_t) {
  pool_.set_ready(*this, has_room());
}

void PooledConnection::on_stream_closed(http::RequestEncoder&) {
  --active_;
  if (!codec_->can_reuse()) retired_ = true;
  if (active_ == 0 && !retired_) set_idle();
  pool_.on_stream_done(*this);
}

}  // namespace sennit::proxy

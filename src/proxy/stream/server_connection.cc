#include "proxy/stream/server_connection.h"

#include "base/log.h"
#include "proxy/stream/details.h"
#include "proxy/stream/forwarded_client_cert.h"
#include "proxy/stream/stream.h"

namespace sennit::proxy {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113 §3.4

constexpr std::string_view kHeadTimeoutReply =
    "HTTP/1.1 408 Request Timeout\r\ncontent-length: 22\r\ncontent-type: text/plain\r\n"
    "connection: close\r\n\r\nrequest header timeout";

// Keeps a configuration until the streams that were given up before it are gone.
struct KeptSettings final : net::DeferredDeletable {
  explicit KeptSettings(std::shared_ptr<const HcmSettings> kept) : settings(std::move(kept)) {}
  std::shared_ptr<const HcmSettings> settings;
};

}  // namespace

ServerConnection::ServerConnection(std::shared_ptr<const HcmSettings> settings,
                                   std::unique_ptr<net::Connection> connection,
                                   std::shared_ptr<DownstreamInfo> downstream,
                                   WorkerContext& worker, std::function<void()> on_done)
    : settings_(std::move(settings)),
      connection_(std::move(connection)),
      downstream_(std::move(downstream)),
      worker_(worker),
      on_done_(std::move(on_done)),
      start_(worker.loop.now()) {}

ServerConnection::~ServerConnection() {
  if (streams_ != nullptr) {
    closing_ = true;
    drop_streams(details::kDownstreamLocalDisconnect);
    worker_.loop.defer_delete(std::make_unique<KeptSettings>(settings_));
  }
  connection_->set_callbacks(nullptr);
}

void ServerConnection::start() {
  worker_.stats.inc(settings_->stats.cx_total);
  worker_.stats.add(settings_->stats.cx_active, 1);
  if (settings_->idle_timeout.count() > 0) {
    idle_timer_.emplace(worker_.loop, [this] {
      worker_.stats.inc(settings_->stats.cx_idle_timeout);
      drain();
      close_when_written();
    });
  }
  if (settings_->max_connection_duration.count() > 0) {
    duration_timer_.emplace(worker_.loop, [this] {
      worker_.stats.inc(settings_->stats.cx_max_duration_reached);
      drain();
    });
    duration_timer_->enable(settings_->max_connection_duration);
  }
  note_idle();
  note_tls();
  connection_->set_callbacks(this);
  connection_->start();
}

std::shared_ptr<const RouteTable> ServerConnection::routes() const {
  return settings_->rds.empty() ? settings_->routes : worker_.routes.routes(settings_->rds);
}

std::string_view ServerConnection::cert_element() {
  if (downstream_->tls == nullptr || !downstream_->tls->peer_certificate_presented) return {};
  if (!cert_element_) {
    cert_element_ = client_cert_element(*downstream_->tls, settings_->client_cert_details);
  }
  return *cert_element_;
}

// --- bytes -----------------------------------------------------------------------------------

bool ServerConnection::choose_codec(std::string_view input) {
  bool http2 = settings_->codec_type == CodecType::Http2;
  if (settings_->codec_type == CodecType::Auto) {
    const net::TlsInfo* tls = connection_->tls();
    if (tls != nullptr && !tls->alpn.empty()) {
      http2 = tls->alpn == "h2" || tls->alpn == "istio-h2";
    }
    const size_t seen = std::min(input.size(), kHttp2Preface.size());
    if (!http2 && input.substr(0, seen) == kHttp2Preface.substr(0, seen)) {
      if (seen < kHttp2Preface.size()) return false;
      http2 = true;
    }
  }
  auto& stats = worker_.stats;
  if (http2) {
    stats.inc(settings_->stats.cx_http2_total);
    codec_ = http::make_http2_server(*connection_, settings_->http2, *this);
  } else {
    stats.inc(settings_->stats.cx_http1_total);
    codec_ = http::make_http1_server(*connection_, settings_->http1, *this);
  }
  if (draining_) codec_->shutdown_notice();
  return true;
}

void ServerConnection::on_data(net::Buffer& input, bool end_stream) {
  if (closing_) return input.clear();
  if (!codec_) {
    note_tls();
    if (!choose_codec(input.view())) return;
  }
  const uint64_t before = requests_;
  const auto status = codec_->dispatch(input, end_stream);
  if (done_) return;
  if (!status) {
    worker_.stats.inc(settings_->stats.cx_protocol_error);
    log::debug("http", "connection {} from {}: {}", connection_->id(),
               downstream_->remote_address.to_string(), status.error().message);
    return close_when_written();
  }
  if (settings_->request_headers_timeout.count() > 0) watch_for_head(requests_ != before);
}

// The handshake may have been done before the connection came here.
void ServerConnection::note_tls() {
  if (connection_->tls() == nullptr || tls_counted_) return;
  tls_counted_ = true;
  downstream_->tls = connection_->tls();
  worker_.stats.inc(settings_->stats.cx_ssl_total);
  worker_.stats.add(settings_->stats.cx_ssl_active, 1);
}

// A head that comes too slowly is answered 408: the codec makes a stream of it only once it is
// complete, so an HTTP/1 connection with bytes and no stream has a head under way.
void ServerConnection::watch_for_head(bool stream_began) {
  if (codec_->protocol() == http::Protocol::Http2) return;
  if (stream_began || streams_ != nullptr) return head_timer_.reset();
  if (head_timer_) return;
  head_timer_.emplace(worker_.loop, [this] { on_head_timeout(); });
  head_timer_->enable(settings_->request_headers_timeout);
}

void ServerConnection::on_head_timeout() {
  worker_.stats.inc(settings_->stats.rq_header_timeout);
  connection_->write(kHeadTimeoutReply);
  close_when_written();
}

http::RequestDecoder& ServerConnection::on_new_stream(http::ResponseEncoder& encoder) {
  ++requests_;
  if (idle_timer_) idle_timer_->disable();
  auto* stream = new Stream(*this, encoder);
  stream->next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = stream;
  streams_ = stream;
  worker_.stats.add(settings_->stats.rq_active, 1);
  if (settings_->max_requests_per_connection != 0 &&
      requests_ == settings_->max_requests_per_connection) {
    worker_.stats.inc(settings_->stats.cx_max_requests_reached);
    drain();
  }
  return *stream;
}

void ServerConnection::stream_finished(Stream& stream) {
  if (stream.previous_ != nullptr) {
    stream.previous_->next_ = stream.next_;
  } else {
    streams_ = stream.next_;
  }
  if (stream.next_ != nullptr) stream.next_->previous_ = stream.previous_;
  worker_.stats.add(settings_->stats.rq_active, -1);
  worker_.loop.defer_delete(std::unique_ptr<net::DeferredDeletable>(&stream));
  if (streams_ == nullptr && !done_ && !closing_) note_idle();
}

// After the codec's last stream, not ours: responses may still wait for the client's window.
void ServerConnection::on_stream_closed(http::ResponseEncoder&) {
  if (refusing_ && !drain_check_) drain_check_.emplace(worker_.loop, [this] { on_drained(); });
  if (refusing_) drain_check_->enable(net::Milliseconds(0));
}

void ServerConnection::note_idle() {
  if (idle_timer_) idle_timer_->enable(settings_->idle_timeout);
}

// --- the end ---------------------------------------------------------------------------------

void ServerConnection::drain() {
  if (draining_ || done_ || closing_) return;
  draining_ = true;
  worker_.stats.inc(settings_->stats.cx_drain_close);
  if (codec_) codec_->shutdown_notice();
  drain_timer_.emplace(worker_.loop, [this] { on_drained(); });
  drain_timer_->enable(settings_->drain_timeout);
}

// By now the client knows that it shall open no more streams; those under way are finished.
void ServerConnection::on_drained() {
  if (!refusing_ && codec_) codec_->goaway();
  refusing_ = true;
  if (!codec_ || codec_->active_streams() == 0) close_when_written();
}

void ServerConnection::close_when_written() {
  if (closing_ || done_) return;
  closing_ = true;
  drop_streams(details::kDownstreamLocalDisconnect);
  connection_->close(net::CloseType::FlushWrite);
}

void ServerConnection::close() {
  if (done_) return;
  closing_ = true;
  connection_->close(net::CloseType::NoFlush);
}

void ServerConnection::drop_streams(std::string_view details) {
  while (streams_ != nullptr) streams_->on_connection_lost(details);
}

void ServerConnection::on_event(net::ConnectionEvent event) {
  switch (event) {
    case net::ConnectionEvent::Connected:
      return;
    case net::ConnectionEvent::ConnectedTls:
      return note_tls();
    case net::ConnectionEvent::RemoteClose:
      worker_.stats.inc(settings_->stats.cx_destroy_remote);
      drop_streams(details::kDownstreamRemoteDisconnect);
      if (codec_) codec_->on_connection_closed();
      return finish();
    case net::ConnectionEvent::LocalClose:
      worker_.stats.inc(settings_->stats.cx_destroy_local);
      drop_streams(details::kDownstreamLocalDisconnect);
      if (codec_) codec_->on_connection_closed();
      return finish();
  }
}

void ServerConnection::finish() {
  if (done_) return;
  done_ = true;
  idle_timer_.reset();
  duration_timer_.reset();
  drain_timer_.reset();
  drain_check_.reset();
  head_timer_.reset();
  auto& stats = worker_.stats;
  stats.inc(settings_->stats.cx_destroy);
  stats.add(settings_->stats.cx_active, -1);
  if (tls_counted_) stats.add(settings_->stats.cx_ssl_active, -1);
  stats.inc(settings_->stats.cx_rx_bytes_total, connection_->bytes_read());
  stats.inc(settings_->stats.cx_tx_bytes_total, connection_->bytes_written());
  const auto length =
      std::chrono::duration_cast<std::chrono::milliseconds>(worker_.loop.now() - start_);
  stats.record(settings_->stats.cx_length_ms, static_cast<uint64_t>(length.count()));
  on_done_();
}

void ServerConnection::on_above_write_watermark() {
  if (codec_) codec_->on_connection_above_watermark();
}

void ServerConnection::on_below_write_watermark() {
  if (codec_) codec_->on_connection_below_watermark();
}

std::unique_ptr<ServedConnection> serve_http(std::shared_ptr<const HcmConfig> config,
                                             std::unique_ptr<net::Connection> connection,
                                             std::shared_ptr<DownstreamInfo> downstream,
                                             WorkerContext& worker, std::function<void()> on_done) {
  auto settings = std::static_pointer_cast<const HcmSettings>(std::move(config));
  auto served =
      std::make_unique<ServerConnection>(std::move(settings), std::move(connection),
                                         std::move(downstream), worker, std::move(on_done));
  served->start();
  return served;
}

}  // namespace sennit::proxy

// A downstream connection that speaks HTTP: chooses the codec (by configuration, ALPN or the HTTP/2
// preface), makes a Stream for each request, and watches over the connection's own life: idle and
// longest times, requests per connection, draining.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http/codec.h"
#include "net/connection.h"
#include "proxy/stream/hcm_settings.h"
#include "proxy/stream/http_connection_manager.h"

namespace sennit::proxy {

class Stream;

class ServerConnection final : public ServedConnection,
                               private net::ConnectionCallbacks,
                               private http::ServerCodecCallbacks {
 public:
  ServerConnection(std::shared_ptr<const HcmSettings> settings,
                   std::unique_ptr<net::Connection> connection,
                   std::shared_ptr<DownstreamInfo> downstream, WorkerContext& worker,
                   std::function<void()> on_done);
  ~ServerConnection() override;

  void start();
  void drain() override;
  void close() override;

  // --- for streams ---
  const HcmSettings& settings() const { return *settings_; }
  WorkerContext& worker() { return worker_; }
  const DownstreamInfo& downstream() const { return *downstream_; }
  http::Protocol protocol() const { return codec_->protocol(); }
  std::shared_ptr<const RouteTable> routes() const;
  // This connection's element of x-forwarded-client-cert.
  std::string_view cert_element();
  // The stream is complete and goes away.
  void stream_finished(Stream& stream);

 private:
  void on_data(net::Buffer& input, bool end_stream) override;
  void on_event(net::ConnectionEvent event) override;
  void on_above_write_watermark() override;
  void on_below_write_watermark() override;

  http::RequestDecoder& on_new_stream(http::ResponseEncoder& encoder) override;
  void on_stream_closed(http::ResponseEncoder&) override;

  // False: more bytes are needed to tell.
  bool choose_codec(std::string_view input);
  void watch_for_head(bool stream_began);
  void on_head_timeout();
  void on_drained();
  void note_idle();
  void note_tls();
  void close_when_written();
  void drop_streams(std::string_view details);
  void finish();

  std::shared_ptr<const HcmSettings> settings_;
  std::unique_ptr<net::Connection> connection_;
  std::shared_ptr<DownstreamInfo> downstream_;
  WorkerContext& worker_;
  std::function<void()> on_done_;
  std::unique_ptr<http::ServerCodec> codec_;
  Stream* streams_ = nullptr;  // a list, newest first
  uint64_t requests_ = 0;
  std::optional<std::string> cert_element_;
  std::optional<net::Timer> idle_timer_, duration_timer_, drain_timer_, drain_check_, head_timer_;
  net::TimePoint start_;
  bool draining_ = false;
  bool refusing_ = false;  // the drain's second step is done
  bool tls_counted_ = false;
  bool closing_ = false;
  bool done_ = false;
};

}  // namespace sennit::proxy

// The server's side: streams that the peer opens.
#include <utility>

#include "http/http2/session.h"

namespace sennit::http::http2 {
namespace {

class ServerStream final : public Stream, public ResponseEncoder {
 public:
  ServerStream(Session& session, ServerCodecCallbacks& owner) : Stream(session), owner_(owner) {}

  void encode_1xx(const HeaderMap& headers) override { send_head(headers, false, true); }
  void encode_headers(const HeaderMap& headers, bool end_stream) override {
    answered_ = true;
    send_head(headers, end_stream, false);
  }
  void encode_data(std::string_view data, bool end_stream) override { send_data(data, end_stream); }
  void encode_trailers(const HeaderMap& trailers) override { send_trailers(trailers); }
  void reset(ResetReason reason) override { reset_by_us(reason); }
  void set_callbacks(StreamCallbacks* callbacks) override { callbacks_ = callbacks; }
  void read_disable(bool disable) override { disable_reading(disable); }
  bool above_write_watermark() const override { return above_watermark(); }

 private:
  void deliver_head(HeaderMap&& headers, bool end_stream) override {
    decoder_ = &owner_.on_new_stream(*this);
    decoder_->on_headers(std::move(headers), end_stream);
  }
  void deliver_data(std::string_view data, bool end_stream) override {
    if (decoder_ != nullptr) decoder_->on_data(data, end_stream);
  }
  void deliver_trailers(HeaderMap&& trailers) override {
    if (decoder_ != nullptr) decoder_->on_trailers(std::move(trailers));
  }
  void deliver_bad_head(int status, std::string_view details) override {
    if (decoder_ == nullptr) decoder_ = &owner_.on_new_stream(*this);
    if (!answered_) decoder_->on_bad_request(status, details);
    refuse_rest();
  }
  void tell_closed() override {
    if (std::exchange(decoder_, nullptr) != nullptr) owner_.on_stream_closed(*this);
  }
  bool is_server() const override { return true; }

  // The answer goes out; then the stream ends, whatever else the peer sends.
  void refuse_rest() {
    if (session_ == nullptr) return;
    StreamCallbacks* callbacks = std::exchange(callbacks_, nullptr);
    if (callbacks != nullptr) callbacks->on_reset(ResetReason::ProtocolError);
    if (session_ != nullptr) reset_by_us(ResetReason::LocalReset);
  }

  ServerCodecCallbacks& owner_;
  RequestDecoder* decoder_ = nullptr;
  bool answered_ = false;
};

class ServerConnection final : public ServerCodec, public Session {
 public:
  ServerConnection(net::Connection& connection, const CodecOptions& options,
                   ServerCodecCallbacks& callbacks)
      : Session(connection, options, true), callbacks_(callbacks) {
    pump();
  }

  Status dispatch(net::Buffer& input, bool end_stream) override {
    Status status = receive(input);
    if (!status || end_stream) connection_closed();
    return status;
  }
  void on_connection_closed() override { connection_closed(); }
  Protocol protocol() const override { return Protocol::Http2; }
  size_t active_streams() const override { return stream_count(); }
  // Each stream has a watermark of its own; below the connection's nothing leaves their queues.
  void on_connection_above_watermark() override {}
  void on_connection_below_watermark() override { pump(); }
  const CodecStats& stats() const override { return stats_; }

  void shutdown_notice() override {
    nghttp2_submit_shutdown_notice(handle());
    pump();
  }
  void goaway() override {
    nghttp2_submit_goaway(handle(), NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(handle()), NGHTTP2_NO_ERROR,
                          nullptr, 0);
    pump();
  }

 private:
  std::unique_ptr<Stream> make_stream() override {
    return std::make_unique<ServerStream>(*this, callbacks_);
  }
  void on_goaway_received() override { callbacks_.on_goaway(); }

  ServerCodecCallbacks& callbacks_;
};

}  // namespace
}  // namespace sennit::http::http2

namespace sennit::http {

std::unique_ptr<ServerCodec> make_http2_server(net::Connection& connection,
                                               const CodecOptions& options,
                                               ServerCodecCallbacks& callbacks) {
  return std::make_unique<http2::ServerConnection>(connection, options, callbacks);
}

}  // namespace sennit::http

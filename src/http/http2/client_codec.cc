// The client's side: streams that we open.
#include <algorithm>
#include <utility>

#include "http/http2/session.h"

namespace sennit::http::http2 {
namespace {

class ClientStream final : public Stream, public RequestEncoder {
 public:
  ClientStream(Session& session, ResponseDecoder& decoder, ClientCodecCallbacks& owner)
      : Stream(session), decoder_(&decoder), owner_(owner) {}

  void encode_headers(const HeaderMap& headers, bool end_stream) override {
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
    if (decoder_ == nullptr) return;
    const int status = headers.status();
    if (status < 200 && status != 101) return decoder_->on_1xx(std::move(headers));
    decoder_->on_headers(std::move(headers), end_stream);
  }
  void deliver_data(std::string_view data, bool end_stream) override {
    if (decoder_ != nullptr) decoder_->on_data(data, end_stream);
  }
  void deliver_trailers(HeaderMap&& trailers) override {
    if (decoder_ != nullptr) decoder_->on_trailers(std::move(trailers));
  }
  void deliver_bad_head(int, std::string_view) override {
    StreamCallbacks* callbacks = std::exchange(callbacks_, nullptr);
    if (callbacks != nullptr) callbacks->on_reset(ResetReason::ProtocolError);
    if (session_ != nullptr) reset_by_us(ResetReason::ProtocolError);
  }
  void tell_closed() override {
    if (std::exchange(decoder_, nullptr) != nullptr) owner_.on_stream_closed(*this);
  }
  bool is_server() const override { return false; }

  ResponseDecoder* decoder_;
  ClientCodecCallbacks& owner_;
};

class ClientConnection final : public ClientCodec, public Session {
 public:
  ClientConnection(net::Connection& connection, const CodecOptions& options,
                   ClientCodecCallbacks& callbacks)
      : Session(connection, options, false), callbacks_(callbacks) {
    pump();
  }

  Status dispatch(net::Buffer& input, bool end_stream) override {
    Status status = receive(input);
    if (!status || end_stream) {
      reusable_ = false;
      connection_closed();
    }
    return status;
  }
  void on_connection_closed() override {
    reusable_ = false;
    connection_closed();
  }
  Protocol protocol() const override { return Protocol::Http2; }
  size_t active_streams() const override { return stream_count(); }
  void on_connection_above_watermark() override {}
  void on_connection_below_watermark() override { pump(); }
  const CodecStats& stats() const override { return stats_; }

  RequestEncoder& new_stream(ResponseDecoder& decoder) override {
    auto stream = std::make_unique<ClientStream>(*this, decoder, callbacks_);
    ClientStream& opened = *stream;
    adopt(std::move(stream));
    return opened;
  }
  bool can_reuse() const override { return reusable_; }
  uint32_t max_concurrent_streams() const override { return max_streams_; }
  void send_ping() override {
    nghttp2_submit_ping(handle(), NGHTTP2_FLAG_NONE, nullptr);
    pump();
  }

 private:
  std::unique_ptr<Stream> make_stream() override { return nullptr; }  // push is off
  void on_goaway_received() override {
    reusable_ = false;
    callbacks_.on_goaway();
  }
  void on_settings_received() override {
    const uint32_t theirs =
        nghttp2_session_get_remote_settings(handle(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    const uint32_t streams = std::min(theirs, options().limits.max_concurrent_streams);
    if (streams == max_streams_) return;
    max_streams_ = streams;
    callbacks_.on_max_concurrent_streams(streams);
  }

  // What a peer allows at least until its SETTINGS tell (RFC 9113 §6.5.2 recommends no less).
  static constexpr uint32_t kStreamsBeforeSettings = 100;

  ClientCodecCallbacks& callbacks_;
  bool reusable_ = true;
  uint32_t max_streams_ = kStreamsBeforeSettings;
};

}  // namespace
}  // namespace sennit::http::http2

namespace sennit::http {

std::unique_ptr<ClientCodec> make_http2_client(net::Connection& connection,
                                               const CodecOptions& options,
                                               ClientCodecCallbacks& callbacks) {
  return std::make_unique<http2::ClientConnection>(connection, options, callbacks);
}

}  // namespace sennit::http

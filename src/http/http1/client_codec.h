// The client's side of an HTTP/1 connection: one request at a time. See codec.h for the contract.
#pragma once

#include "http/codec.h"
#include "http/http1/body_writer.h"
#include "http/http1/parser.h"

namespace sennit::http::http1 {

class ClientConnection final : public ClientCodec, private RequestEncoder {
 public:
  ClientConnection(net::Connection& connection, const CodecOptions& options,
                   ClientCodecCallbacks& callbacks);

  Status dispatch(net::Buffer& input, bool end_stream) override;
  void on_connection_closed() override;
  Protocol protocol() const override { return Protocol::Http11; }
  size_t active_streams() const override { return open_ ? 1 : 0; }
  void on_connection_above_watermark() override;
  void on_connection_below_watermark() override;
  const CodecStats& stats() const override { return stats_; }
  RequestEncoder& new_stream(ResponseDecoder& decoder) override;
  bool can_reuse() const override { return reusable_; }
  uint32_t max_concurrent_streams() const override { return 1; }

 private:
  // RequestEncoder
  void encode_headers(const HeaderMap& headers, bool end_stream) override;
  void encode_data(std::string_view data, bool end_stream) override;
  void encode_trailers(const HeaderMap& trailers) override;
  void reset(ResetReason reason) override;
  void set_callbacks(StreamCallbacks* callbacks) override { stream_ = callbacks; }
  void read_disable(bool disable) override;
  bool above_write_watermark() const override { return connection_.above_write_watermark(); }

  Status deliver(const Parser::Step& step);
  void deliver_head();
  void request_done(const HeaderMap* trailers);
  bool finish_half_closed_tunnel();
  void close_stream_if_done();
  void end_stream();
  void reset_stream(ResetReason reason);

  net::Connection& connection_;
  const CodecOptions options_;
  ClientCodecCallbacks& callbacks_;
  Parser parser_;
  CodecStats stats_;
  BodyWriter body_;
  ResponseDecoder* decoder_ = nullptr;
  StreamCallbacks* stream_ = nullptr;
  bool open_ = false;
  bool request_started_ = false;
  bool request_done_ = false;
  bool response_done_ = false;
  bool upgrade_asked_ = false;
  bool tunnel_ = false;  // an upgrade or CONNECT took effect: bytes both ways
  bool reusable_ = true;
  uint32_t read_disables_ = 0;
};

}  // namespace sennit::http::http1

// The server's side of an HTTP/1 connection. Requests are handed up one at a time: the next one of
// a pipeline when the response to the former is written. See codec.h for the contract.
#pragma once

#include "http/codec.h"
#include "http/http1/body_writer.h"
#include "http/http1/parser.h"

namespace sennit::http::http1 {

class ServerConnection final : public ServerCodec, private ResponseEncoder {
 public:
  ServerConnection(net::Connection& connection, const CodecOptions& options,
                   ServerCodecCallbacks& callbacks);

  Status dispatch(net::Buffer& input, bool end_stream) override;
  void on_connection_closed() override;
  Protocol protocol() const override { return protocol_; }
  size_t active_streams() const override { return open_ ? 1 : 0; }
  void on_connection_above_watermark() override;
  void on_connection_below_watermark() override;
  const CodecStats& stats() const override { return stats_; }
  void shutdown_notice() override { draining_ = true; }
  void goaway() override { draining_ = true; }

 private:
  // ResponseEncoder
  void encode_1xx(const HeaderMap& headers) override;
  void encode_headers(const HeaderMap& headers, bool end_stream) override;
  void encode_data(std::string_view data, bool end_stream) override;
  void encode_trailers(const HeaderMap& trailers) override;
  void reset(ResetReason reason) override;
  void set_callbacks(StreamCallbacks* callbacks) override { stream_ = callbacks; }
  void read_disable(bool disable) override;
  bool above_write_watermark() const override { return connection_.above_write_watermark(); }

  bool must_wait() const;
  Status deliver(const Parser::Step& step);
  void deliver_head();
  void open_stream();
  Status refuse();
  void response_done(const HeaderMap* trailers);
  void close_stream_if_done();
  void end_stream();
  void reset_stream(ResetReason reason);
  void on_half_close();
  void pause(bool on);

  net::Connection& connection_;
  const CodecOptions options_;
  ServerCodecCallbacks& callbacks_;
  Parser parser_;
  CodecStats stats_;
  BodyWriter body_;
  RequestDecoder* decoder_ = nullptr;
  StreamCallbacks* stream_ = nullptr;
  Protocol protocol_ = Protocol::Http11;
  bool open_ = false;  // a stream is
  bool request_done_ = false;
  bool response_started_ = false;
  bool response_done_ = false;
  bool upgrade_waits_ = false;  // for the answer that decides what the next bytes are
  bool tunnel_ = false;         // an upgrade or CONNECT took effect: bytes both ways
  bool close_after_ = false;    // this response is the last
  bool draining_ = false;
  bool paused_ = false;  // reading is disabled by us: input waits for its turn
  bool dead_ = false;
  uint32_t read_disables_ = 0;  // by the stream
};

}  // namespace sennit::http::http1

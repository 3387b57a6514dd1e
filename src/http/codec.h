// What HTTP/1 and HTTP/2 have in common, seen from above: a connection that carries streams, each
// a request and its response, delivered as head, body pieces and trailers. Push style: bytes go in
// by `dispatch`, events come out by the callbacks; encoders write into the connection's output
// buffer. Nothing here knows of routes, clusters or policies.
//
// Lifetimes: an encoder lives until its stream is reset or both directions have ended. Every stream
// ends with exactly one `on_stream_closed`, however it ended: after the last byte both ways, after
// `on_reset`, or from inside `reset()`. It may come from inside any encode call (the one that
// completes the stream): owners put the deletion of their own objects off
// (EventLoop::defer_delete). Afterwards the codec touches neither decoder nor callbacks. The codec
// itself may be given up from inside its callbacks only by defer_delete, too. Thread: the
// connection's.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "http/header_map.h"
#include "net/buffer.h"
#include "net/connection.h"

namespace sennit::http {

enum class Protocol : uint8_t { Http10, Http11, Http2 };
std::string_view protocol_name(Protocol protocol);  // "HTTP/1.1", as access logs print it

enum class ResetReason : uint8_t {
  LocalReset,    // we gave the stream up
  LocalRefused,  // we refused it before any processing (RST_STREAM REFUSED_STREAM)
  RemoteReset,
  RemoteRefused,          // safe to send again: the peer did nothing with it
  ConnectionTermination,  // the connection went away under the stream
  ConnectionFailure,
  ProtocolError,
  Overflow,  // a limit of ours
};

// How many bytes and fields a peer may send. Defaults are Envoy's.
struct CodecLimits {
  uint32_t max_header_bytes = 60 * 1024;  // request or response head, and trailers
  uint32_t max_header_count = 100;
  // HTTP/2
  uint32_t max_concurrent_streams = 1024;
  uint32_t initial_stream_window = 16 * 1024 * 1024;
  uint32_t initial_connection_window = 24 * 1024 * 1024;
  uint32_t hpack_table_size = 4096;
};
struct CodecOptions {
  CodecLimits limits;
  bool accept_http10 = false;
  std::string default_host_for_http10;
  bool allow_absolute_url = true;
  bool allow_connect = false;  // extended CONNECT / upgrades over HTTP/2
  bool preserve_header_case = false;
  bool enable_trailers = true;  // HTTP/1: keep trailers (false: read and drop)
};

// Counters a codec bumps; each owner binds them to its own stats scope. Plain integers: they are
// read on the same thread.
struct CodecStats {
  uint64_t protocol_errors = 0;
  uint64_t header_overflow = 0;
  uint64_t rx_reset = 0;
  uint64_t tx_reset = 0;
  uint64_t flood_closed = 0;
  uint64_t goaway_sent = 0;
};

class StreamCallbacks {
 public:
  // The stream ended without completing. The encoder is gone after this call.
  virtual void on_reset(ResetReason reason) = 0;
  // The encoder's side is above / below its flow-control watermark (HTTP/2 window, or the
  // connection's output buffer): stop / go on feeding it.
  virtual void on_above_write_watermark() {}
  virtual void on_below_write_watermark() {}

 protected:
  ~StreamCallbacks() = default;
};

// Common to both directions of an outgoing message.
class StreamEncoder {
 public:
  virtual void encode_data(std::string_view data, bool end_stream) = 0;
  virtual void encode_trailers(const HeaderMap& trailers) = 0;  // ends the stream
  virtual void reset(ResetReason reason) = 0;                   // no on_reset comes back for this
  virtual void set_callbacks(StreamCallbacks* callbacks) = 0;
  // Backpressure against the *incoming* half of this stream: counted, like
  // Connection::read_disable. HTTP/1 stops reading the socket; HTTP/2 stops opening the window.
  virtual void read_disable(bool disable) = 0;
  virtual bool above_write_watermark() const = 0;

 protected:
  ~StreamEncoder() = default;
};

// Writes a response (server side).
class ResponseEncoder : public StreamEncoder {
 public:
  virtual void encode_1xx(const HeaderMap& headers) = 0;
  // `headers` holds `:status`. The codec adds framing fields and drops hop-by-hop ones.
  virtual void encode_headers(const HeaderMap& headers, bool end_stream) = 0;

 protected:
  ~ResponseEncoder() = default;
};

// Writes a request (client side).
class RequestEncoder : public StreamEncoder {
 public:
  virtual void encode_headers(const HeaderMap& headers, bool end_stream) = 0;

 protected:
  ~RequestEncoder() = default;
};

// Receives a request (server side).
class RequestDecoder {
 public:
  // The head, complete and valid. `headers` may be moved from.
  virtual void on_headers(HeaderMap&& headers, bool end_stream) = 0;
  virtual void on_data(std::string_view data, bool end_stream) = 0;
  virtual void on_trailers(HeaderMap&& trailers) = 0;  // ends the stream
  // The codec refused the request (malformed, too large): answer with `status` and `details`
  // (Envoy's response code details, e.g. "http1.codec_error"), then the connection closes.
  // May come before on_headers.
  virtual void on_bad_request(int status, std::string_view details) = 0;

 protected:
  ~RequestDecoder() = default;
};

// Receives a response (client side).
class ResponseDecoder {
 public:
  virtual void on_1xx(HeaderMap&& headers) = 0;
  virtual void on_headers(HeaderMap&& headers, bool end_stream) = 0;
  virtual void on_data(std::string_view data, bool end_stream) = 0;
  virtual void on_trailers(HeaderMap&& trailers) = 0;

 protected:
  ~ResponseDecoder() = default;
};

class ServerCodecCallbacks {
 public:
  // A request begins; the decoder returned must live until its stream is complete or reset.
  virtual RequestDecoder& on_new_stream(ResponseEncoder& encoder) = 0;
  // Both halves of the stream are done: the encoder is about to go.
  virtual void on_stream_closed(ResponseEncoder& encoder) = 0;
  virtual void on_goaway() {}

 protected:
  ~ServerCodecCallbacks() = default;
};

class Codec {
 public:
  virtual ~Codec() = default;
  // Parses from the front of `input` and drains what it consumed. An error means: the connection
  // is beyond use; whatever must be said (a 400, a GOAWAY) is already in the output buffer; close
  // with FlushWrite. `end_stream`: the peer closed its writing side.
  // Input that is left (a pipelined request whose turn has not come) stays in `input`; the codec
  // holds reading disabled meanwhile, and the connection hands it over again when that is undone.
  virtual Status dispatch(net::Buffer& input, bool end_stream) = 0;
  // Owners call this once when the connection is gone (RemoteClose or LocalClose): a response whose
  // body ends with the connection is complete now; every other stream gets
  // on_reset(ConnectionTermination). dispatch(..., end_stream = true) does the same.
  virtual void on_connection_closed() {}
  virtual Protocol protocol() const = 0;
  // Streams open now.
  virtual size_t active_streams() const = 0;
  // The connection's output crossed its watermark: the codec tells each stream's encoder.
  virtual void on_connection_above_watermark() = 0;
  virtual void on_connection_below_watermark() = 0;
  virtual const CodecStats& stats() const = 0;
};

class ServerCodec : public Codec {
 public:
  // Graceful drain, first step: HTTP/2 sends GOAWAY with the highest stream id ("no more soon");
  // HTTP/1 will answer `connection: close`. Second step: no new streams from now on.
  virtual void shutdown_notice() = 0;
  virtual void goaway() = 0;
};

class ClientCodecCallbacks {
 public:
  virtual void on_goaway() = 0;  // open no more streams here
  // The peer's SETTINGS_MAX_CONCURRENT_STREAMS became known or changed.
  virtual void on_max_concurrent_streams(uint32_t) {}
  virtual void on_stream_closed(RequestEncoder& encoder) = 0;

 protected:
  ~ClientCodecCallbacks() = default;
};

class ClientCodec : public Codec {
 public:
  // Opens a stream. HTTP/1: one at a time; the next only after on_stream_closed.
  virtual RequestEncoder& new_stream(ResponseDecoder& decoder) = 0;
  // HTTP/1: false once the peer said `connection: close` or the framing demands a close.
  virtual bool can_reuse() const = 0;
  virtual uint32_t max_concurrent_streams() const = 0;
  // HTTP/2 keepalive; ignored by HTTP/1.
  virtual void send_ping() {}
};

// The codecs write into connection.output() and call connection.flush_soon(); they do not set the
// connection's callbacks: their owner does, and forwards.
std::unique_ptr<ServerCodec> make_http1_server(net::Connection& connection,
                                               const CodecOptions& options,
                                               ServerCodecCallbacks& callbacks);
std::unique_ptr<ServerCodec> make_http2_server(net::Connection& connection,
                                               const CodecOptions& options,
                                               ServerCodecCallbacks& callbacks);
std::unique_ptr<ClientCodec> make_http1_client(net::Connection& connection,
                                               const CodecOptions& options,
                                               ClientCodecCallbacks& callbacks);
std::unique_ptr<ClientCodec> make_http2_client(net::Connection& connection,
                                               const CodecOptions& options,
                                               ClientCodecCallbacks& callbacks);

}  // namespace sennit::http

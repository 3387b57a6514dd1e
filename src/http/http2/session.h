// One HTTP/2 connection (RFC 9113) over nghttp2: what the server's and the client's side share.
// Bytes go to nghttp2 by dispatch(); what it wants to send goes straight into the connection's
// output while that is below its watermark. Incoming flow control is ours: a stream's window opens
// again only for bytes that its reader has taken (read_disable).
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <vector>

#include "http/codec.h"
#include "http/http2/flood_guard.h"

namespace sennit::http::http2 {

// A stream's bytes that wait for window or connection: above this its producer is told to stop.
inline constexpr size_t kStreamWriteWatermark = 64 * 1024;

class Session;

// One request and its response, seen from either side.
class Stream : public net::DeferredDeletable {
 public:
  explicit Stream(Session& session) : session_(&session) {}

  void send_head(const HeaderMap& headers, bool end_stream, bool informational);
  void send_data(std::string_view data, bool end_stream);
  void send_trailers(const HeaderMap& trailers);
  void reset_by_us(ResetReason reason);
  void disable_reading(bool disable);
  bool above_watermark() const { return above_watermark_; }

 protected:
  virtual void deliver_head(HeaderMap&& headers, bool end_stream) = 0;
  virtual void deliver_data(std::string_view data, bool end_stream) = 0;
  virtual void deliver_trailers(HeaderMap&& trailers) = 0;
  // A head that breaks our rules (nghttp2's are kept by it).
  virtual void deliver_bad_head(int status, std::string_view details) = 0;
  virtual void tell_closed() = 0;
  virtual bool is_server() const = 0;

  Session* session_;  // nullptr once the stream is over
  StreamCallbacks* callbacks_ = nullptr;
  int32_t id_ = -1;
  bool head_received_ = false;
  bool extended_connect_ = false;  // shown as an HTTP/1 upgrade to the layers above

 private:
  friend class Session;
  friend struct Callbacks;
  void start_data();
  void submit_trailers(const HeaderMap& trailers);

  HeaderMap incoming_;
  size_t incoming_bytes_ = 0;
  uint32_t incoming_count_ = 0;
  bool incoming_too_large_ = false;
  bool remote_ended_ = false;
  bool remote_reset_ = false;
  uint32_t remote_reset_code_ = 0;
  net::Buffer pending_;
  HeaderMap trailers_;
  bool has_trailers_ = false;
  bool local_ended_ = false;  // the owner gave all
  bool local_sent_ = false;   // and all of it was sent
  bool provider_ = false;     // nghttp2 has our data source
  bool head_sent_ = false;
  bool reset_when_sent_ = false;
  bool refused_ = false;    // a head of it broke our rules
  bool abandoned_ = false;  // its owner gave it up; only its last bytes still go out
  bool above_watermark_ = false;
  bool below_due_ = false;
  uint32_t read_disables_ = 0;
  size_t unconsumed_ = 0;
};

class Session {
 public:
  Session(net::Connection& connection, const CodecOptions& options, bool server);
  virtual ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Status receive(net::Buffer& input);
  void connection_closed();
  // Sends what may be sent now, then tells what that changed.
  void pump();

  nghttp2_session* handle() { return session_; }
  const CodecOptions& options() const { return options_; }
  net::Connection& connection() { return connection_; }
  size_t stream_count() const { return streams_.size(); }
  CodecStats& session_stats() { return stats_; }

 protected:
  // The peer's frames, for the side that cares.
  virtual std::unique_ptr<Stream> make_stream() = 0;  // server: a request begins
  virtual void on_goaway_received() = 0;
  virtual void on_settings_received() {}

  Stream& adopt(std::unique_ptr<Stream> stream);

  net::Connection& connection_;
  const CodecOptions options_;
  CodecStats stats_;

 private:
  friend class Stream;
  friend struct Callbacks;

  void submit_settings();
  void send();
  void tell_pending();
  void finish_stream(Stream& stream, uint32_t error_code);
  void remove(Stream& stream);
  void on_head_complete(Stream& stream, bool end_stream);
  void refuse_head(Stream& stream, int status, std::string_view details);
  void submit_reset(int32_t id, uint32_t code);
  void count_sent_reset();
  static bool check_request(HeaderMap& headers);
  void write_data_frame(Stream& stream, const uint8_t* frame_header, size_t length);
  bool take_field(Stream& stream, std::string_view name, std::string_view value);
  void frame_sent(const nghttp2_frame& frame);
  void frame_received(const nghttp2_frame& frame);
  bool frame_allowed(const nghttp2_frame_hd& frame);

  const bool server_;
  nghttp2_session* session_ = nullptr;
  FloodGuard flood_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::pair<Stream*, uint32_t>> closed_;  // by nghttp2, to be told
  std::vector<Stream*> below_;                        // fell below their watermark, to be told
  bool busy_ = false;                                 // inside nghttp2
  bool gone_ = false;
  bool flooded_ = false;
  uint64_t own_resets_ = 0;  // submitted by us and not sent yet
};

}  // namespace sennit::http::http2

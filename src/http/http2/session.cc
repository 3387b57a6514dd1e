#include "http/http2/session.h"

#include <algorithm>
#include <utility>

#include "http/syntax.h"

namespace sennit::http::http2 {
namespace {

std::string_view text(const uint8_t* bytes, size_t length) {
  return {reinterpret_cast<const char*>(bytes), length};
}

bool frame_ends(const nghttp2_frame& frame) {
  return (frame.hd.type == NGHTTP2_DATA || frame.hd.type == NGHTTP2_HEADERS) &&
         (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

ResetReason reason_of(uint32_t code) {
  return code == NGHTTP2_REFUSED_STREAM ? ResetReason::RemoteRefused : ResetReason::RemoteReset;
}

}  // namespace

// nghttp2's C callbacks, each handing on to the session.
struct Callbacks {
  static Session& session(void* user) { return *static_cast<Session*>(user); }
  static Stream* stream(nghttp2_session* h2, int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(h2, id));
  }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) {
    // A callback may have closed the connection: what else came is nobody's.
    if (session(user).gone_) return NGHTTP2_ERR_CALLBACK_FAILURE;
    return session(user).frame_allowed(*frame) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  static int on_begin_headers(nghttp2_session* h2, const nghttp2_frame* frame, void* user) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Session& self = session(user);
    Stream& opened = self.adopt(self.make_stream());
    opened.id_ = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(h2, opened.id_, &opened);
    return 0;
  }
  static int on_header(nghttp2_session* h2, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_length, const uint8_t* value, size_t value_length, uint8_t,
                       void* user) {
    Stream* to = stream(h2, frame->hd.stream_id);
    if (to == nullptr) return 0;
    return session(user).take_field(*to, text(name, name_length), text(value, value_length))
               ? 0
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (!session(user).gone_) session(user).frame_received(*frame);
    return session(user).flooded_ || session(user).gone_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }
  static int on_data(nghttp2_session* h2, uint8_t, int32_t id, const uint8_t* data, size_t length,
                     void*) {
    Stream* to = stream(h2, id);
    if (to == nullptr || to->abandoned_) {
      nghttp2_session_consume(h2, id, length);
      return 0;
    }
    // Counted as unread first: the reader may disable or enable reading from inside.
    to->unconsumed_ += length;
    to->deliver_data(text(data, length), false);
    if (to->session_ == nullptr) {
      nghttp2_session_consume(h2, id, std::exchange(to->unconsumed_, 0));
    } else if (to->read_disables_ == 0 && to->unconsumed_ > 0) {
      nghttp2_session_consume(h2, id, std::exchange(to->unconsumed_, 0));
    }
    return 0;
  }
  static int on_stream_close(nghttp2_session* h2, int32_t id, uint32_t code, void* user) {
    if (Stream* closed = stream(h2, id)) session(user).closed_.emplace_back(closed, code);
    return 0;
  }
  static int on_invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) {
    ++session(user).stats_.protocol_errors;
    return 0;
  }
  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    session(user).frame_sent(*frame);
    return 0;
  }
  static int on_frame_not_send(nghttp2_session* h2, const nghttp2_frame* frame, int, void* user) {
    // A request that came too late for this connection (GOAWAY was received): nobody saw it.
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Stream* refused = stream(h2, frame->hd.stream_id);
    Session& self = session(user);
    if (refused == nullptr) {
      for (const auto& open : self.streams_) {
        if (open->id_ == frame->hd.stream_id) refused = open.get();
      }
    }
    const bool told = std::any_of(self.closed_.begin(), self.closed_.end(),
                                  [&](const auto& entry) { return entry.first == refused; });
    if (refused != nullptr && !told) self.closed_.emplace_back(refused, NGHTTP2_REFUSED_STREAM);
    return 0;
  }
  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* frame_header, size_t length,
                       nghttp2_data_source* source, void* user) {
    session(user).write_data_frame(*static_cast<Stream*>(source->ptr), frame_header, length);
    return 0;
  }

  static nghttp2_session_callbacks* table() {
    nghttp2_session_callbacks* table = nullptr;
    nghttp2_session_callbacks_new(&table);
    nghttp2_session_callbacks_set_on_begin_frame_callback(table, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(table, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table, on_frame_not_send);
    nghttp2_session_callbacks_set_send_data_callback(table, send_data);
    return table;
  }
};

Session::Session(net::Connection& connection, const CodecOptions& options, bool server)
    : connection_(connection), options_(options), server_(server) {
  static nghttp2_session_callbacks* const callbacks = Callbacks::table();
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, FloodGuard::kMaxOutboundAcks);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, options.limits.hpack_table_size);
  if (server) {
    nghttp2_session_server_new2(&session_, callbacks, this, option);
  } else {
    nghttp2_session_client_new2(&session_, callbacks, this, option);
  }
  nghttp2_option_del(option);
  submit_settings();
}

Session::~Session() {
  for (const auto& stream : streams_) stream->session_ = nullptr;
  nghttp2_session_del(session_);
}

void Session::submit_settings() {
  const CodecLimits& limits = options_.limits;
  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.initial_stream_window},
      {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, limits.hpack_table_size},
  };
  if (!server_) settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  if (server_ && options_.allow_connect) {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(limits.initial_connection_window));
}

Stream& Session::adopt(std::unique_ptr<Stream> stream) {
  streams_.push_back(std::move(stream));
  flood_.stream_opened();
  return *streams_.back();
}

void Session::remove(Stream& stream) {
  stream.session_ = nullptr;
  std::erase_if(closed_, [&](const auto& entry) { return entry.first == &stream; });
  std::erase(below_, &stream);
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [&](const auto& other) { return other.get() == &stream; });
  if (found == streams_.end()) return;
  std::unique_ptr<Stream> owned = std::move(*found);
  *found = std::move(streams_.back());
  streams_.pop_back();
  connection_.loop().defer_delete(std::move(owned));
}

// ---- in ----

Status Session::receive(net::Buffer& input) {
  if (gone_) {
    input.clear();
    return {};
  }
  busy_ = true;
  const std::string_view bytes = input.view();
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  busy_ = false;
  input.clear();
  if (gone_) return {};
  if (flooded_ || taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
    ++stats_.flood_closed;
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
    pump();
    return fail("HTTP/2: too many frames that cost more than they tell");
  }
  if (taken < 0) {
    ++stats_.protocol_errors;
    nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
    pump();
    return fail("HTTP/2: {}", nghttp2_strerror(static_cast<int>(taken)));
  }
  pump();
  if (!gone_ && nghttp2_session_want_read(session_) == 0 &&
      nghttp2_session_want_write(session_) == 0) {
    return fail("HTTP/2: the session has ended");
  }
  return {};
}

bool Session::frame_allowed(const nghttp2_frame_hd& frame) {
  bool allowed = true;
  switch (frame.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      allowed =
          flood_.empty_frame(frame.length == 0 && (frame.flags & NGHTTP2_FLAG_END_STREAM) == 0);
      if (frame.type == NGHTTP2_HEADERS) allowed = flood_.continuation(true) && allowed;
      break;
    case NGHTTP2_CONTINUATION:
      allowed = flood_.empty_frame(frame.length == 0) && flood_.continuation(false);
      break;
    case NGHTTP2_PRIORITY:
      allowed = flood_.priority();
      break;
    case NGHTTP2_WINDOW_UPDATE:
      allowed = flood_.window_update();
      break;
    case NGHTTP2_RST_STREAM:
      // A server may refuse as many of our streams as it likes.
      allowed = !server_ || flood_.reset();
      break;
    default:
      break;
  }
  flooded_ |= !allowed;
  return allowed;
}

bool Session::take_field(Stream& stream, std::string_view name, std::string_view value) {
  if (stream.abandoned_) return true;
  stream.incoming_bytes_ += name.size() + value.size();
  ++stream.incoming_count_;
  if (stream.incoming_bytes_ > options_.limits.max_header_bytes ||
      stream.incoming_count_ > options_.limits.max_header_count) {
    stats_.header_overflow += stream.incoming_too_large_ ? 0 : 1;
    stream.incoming_too_large_ = true;
    // Dropped, so that the head can be answered by 431; but not without an end.
    return stream.incoming_bytes_ <= 4 * size_t{options_.limits.max_header_bytes};
  }
  const HeaderId id = header_id(name);
  if (id == HeaderId::Cookie && stream.incoming_.has(id)) {
    // RFC 9113 §8.2.3: crumbs are joined before they leave HTTP/2.
    std::string joined(*stream.incoming_.get(id));
    stream.incoming_.set(id, joined.append("; ").append(value));
    return true;
  }
  stream.incoming_.add(id, name, value);
  return true;
}

void Session::frame_received(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY) return on_goaway_received();
  if (frame.hd.type == NGHTTP2_SETTINGS) {
    if ((frame.hd.flags & NGHTTP2_FLAG_ACK) == 0) on_settings_received();
    return;
  }
  Stream* stream = Callbacks::stream(session_, frame.hd.stream_id);
  if (stream == nullptr) return;
  const bool end = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    ++stats_.rx_reset;
    stream->remote_reset_ = true;
    stream->remote_reset_code_ = frame.rst_stream.error_code;
  } else if (stream->abandoned_) {
    return;
  } else if (frame.hd.type == NGHTTP2_HEADERS) {
    on_head_complete(*stream, end);
  } else if (frame.hd.type == NGHTTP2_DATA && end) {
    stream->remote_ended_ = true;
    stream->deliver_data({}, true);
  }
}

void Session::on_head_complete(Stream& stream, bool end_stream) {
  HeaderMap headers = std::move(stream.incoming_);
  stream.incoming_bytes_ = stream.incoming_count_ = 0;
  stream.remote_ended_ = end_stream;
  if (stream.head_received_) {
    if (stream.incoming_too_large_) return refuse_head(stream, 431, "http2.too_many_trailers");
    return stream.deliver_trailers(std::move(headers));
  }
  const int status = headers.status();
  stream.head_received_ = server_ || status >= 200;
  if (stream.incoming_too_large_) return refuse_head(stream, 431, "http2.too_many_headers");
  if (!server_) {
    if (stream.extended_connect_ && status == 200) {
      headers.set(HeaderId::Status, "101");
      headers.add(HeaderId::Connection, "upgrade");
    }
    return stream.deliver_head(std::move(headers), end_stream);
  }
  if (!check_request(headers)) return refuse_head(stream, 400, "http2.violation.of.messaging.rule");
  if (const auto protocol = headers.get(HeaderId::PseudoProtocol)) {
    // RFC 8441, shown as what it would be in HTTP/1.1.
    stream.extended_connect_ = true;
    headers.set(HeaderId::Method, "GET");
    headers.add(HeaderId::Upgrade, *protocol);
    headers.add(HeaderId::Connection, "upgrade");
    headers.remove(HeaderId::PseudoProtocol);
  }
  stream.deliver_head(std::move(headers), end_stream);
}

// What nghttp2 lets pass although it could not be written as HTTP/1, or could be read in two ways.
bool Session::check_request(HeaderMap& headers) {
  if (!is_token(headers.method())) return false;
  if (headers.has(HeaderId::Path) && !is_target(headers.path())) return false;
  const auto host = headers.get(HeaderId::Host);
  if (!headers.has(HeaderId::Authority)) {
    if (!host) return false;
    headers.add(HeaderId::Authority, *host);
  } else if (host && *host != headers.authority()) {
    return false;
  }
  headers.remove(HeaderId::Host);
  return is_authority(headers.authority());
}

// A head that we refuse costs its sender no more than a reset.
void Session::refuse_head(Stream& stream, int status, std::string_view details) {
  if (server_ && !flood_.reset()) flooded_ = true;
  stream.refused_ = true;
  stream.deliver_bad_head(status, details);
}

// ---- out ----

void Session::submit_reset(int32_t id, uint32_t code) {
  // (A client's stream that is not there yet is taken out of nghttp2's queue by this.)
  if (server_ && nghttp2_session_find_stream(session_, id) == nullptr) return;
  if (nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code) == 0) ++own_resets_;
}

void Session::pump() {
  if (busy_ || gone_) return;
  do {
    send();
    tell_pending();
  } while (!gone_ && (!closed_.empty() || !below_.empty()));
}

void Session::send() {
  busy_ = true;
  while (!connection_.above_write_watermark() && !gone_) {
    const uint8_t* data = nullptr;
    const size_t before = connection_.output().size();
    const ssize_t length = nghttp2_session_mem_send(session_, &data);
    if (length > 0) connection_.output().append(text(data, static_cast<size_t>(length)));
    if (connection_.output().size() != before) connection_.flush_soon();
    if (length <= 0) break;
  }
  busy_ = false;
}

void Session::write_data_frame(Stream& stream, const uint8_t* frame_header, size_t length) {
  constexpr size_t kFrameHeaderBytes = 9;
  net::Buffer& output = connection_.output();
  output.append(text(frame_header, kFrameHeaderBytes));
  output.append(stream.pending_.view().substr(0, length));
  stream.pending_.drain(length);
  flood_.data_sent();
  if (stream.above_watermark_ && stream.pending_.size() <= kStreamWriteWatermark / 2) {
    stream.above_watermark_ = false;
    below_.push_back(&stream);
  }
}

void Session::frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY) ++stats_.goaway_sent;
  if (frame.hd.type == NGHTTP2_RST_STREAM) count_sent_reset();
  Stream* stream = Callbacks::stream(session_, frame.hd.stream_id);
  if (stream == nullptr) return;
  if (frame.hd.type == NGHTTP2_HEADERS && !stream->head_sent_) {
    stream->head_sent_ = true;
    if (!stream->pending_.empty() || (stream->local_ended_ && !frame_ends(frame))) {
      stream->start_data();
    }
  }
  if (frame_ends(frame)) {
    stream->local_sent_ = true;
    if (stream->reset_when_sent_ && !stream->remote_ended_) {
      submit_reset(frame.hd.stream_id, NGHTTP2_NO_ERROR);
    }
  }
}

// A peer whose frames are made to be refused has its streams reset as cheaply as one that resets
// them itself (CVE-2025-8671). Our own resets are decisions of the layers above and do not count.
void Session::count_sent_reset() {
  if (own_resets_ > 0) {
    --own_resets_;
  } else if (server_ && !flood_.reset()) {
    flooded_ = true;
  }
}

void Session::tell_pending() {
  for (Stream* stream : std::exchange(below_, {})) {
    if (stream->session_ == nullptr || stream->callbacks_ == nullptr) continue;
    stream->callbacks_->on_below_write_watermark();
  }
  while (!closed_.empty() && !gone_) {
    const auto [stream, code] = closed_.front();
    closed_.erase(closed_.begin());
    finish_stream(*stream, code);
  }
}

void Session::finish_stream(Stream& stream, uint32_t code) {
  const bool complete = stream.remote_ended_ && stream.local_sent_;
  if (complete && !stream.refused_) flood_.stream_completed();
  StreamCallbacks* callbacks = std::exchange(stream.callbacks_, nullptr);
  if (!complete && !stream.abandoned_ && callbacks != nullptr) {
    ResetReason reason = ResetReason::ProtocolError;  // nghttp2 gave it up
    if (stream.remote_reset_) {
      reason = reason_of(stream.remote_reset_code_);
    } else if (code == NGHTTP2_REFUSED_STREAM) {
      reason = ResetReason::RemoteRefused;  // GOAWAY: above the last id
    }
    callbacks->on_reset(reason);
  }
  if (stream.session_ == nullptr) return;
  if (!stream.abandoned_) stream.tell_closed();
  if (stream.session_ != nullptr) remove(stream);
}

void Session::connection_closed() {
  if (std::exchange(gone_, true)) return;
  closed_.clear();
  below_.clear();
  while (!streams_.empty()) {
    Stream& stream = *streams_.back();
    StreamCallbacks* callbacks = std::exchange(stream.callbacks_, nullptr);
    if (callbacks != nullptr) callbacks->on_reset(ResetReason::ConnectionTermination);
    if (stream.session_ == nullptr) continue;
    if (!stream.abandoned_) stream.tell_closed();
    if (stream.session_ != nullptr) remove(stream);
  }
}

}  // namespace sennit::http::http2

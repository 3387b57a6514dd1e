// A strict, incremental parser of HTTP/1.1 and 1.0 messages (RFC 9112): requests or responses.
// Whatever two parsers could read differently is refused: bare CR or LF, folded lines, whitespace
// around names, content-length with transfer-encoding, repeated or malformed lengths, and so on.
//
// Pull style: the owner shows the bytes that it has, from the first one not yet consumed, and gets
// one event at a time. Partial input may be shown again as it grows; no byte is looked at more than
// a constant number of times. Not shared between threads; knows nothing of connections.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/codec.h"
#include "http/header_map.h"

namespace sennit::http::http1 {

// Bounds on what has no meaning to us but costs time.
inline constexpr size_t kMaxChunkExtensionBytes = 1024;         // of one chunk
inline constexpr size_t kMaxMessageExtensionBytes = 16 * 1024;  // of all chunks of a message
inline constexpr size_t kMaxMethodBytes = 64;

// Why a message was refused. `status` is what a server answers; `details` is Envoy's response code
// detail; `reason` is for people.
struct ParseError {
  int status = 0;
  std::string_view details;
  std::string_view reason;
};

// What the head says about the message as a whole.
struct HeadInfo {
  bool http10 = false;
  bool keep_alive = true;  // by version and connection options
  bool upgrade = false;    // connection: upgrade, with an upgrade field
  bool connect = false;    // a CONNECT request
  bool head = false;       // a HEAD request
  bool chunked = false;
  bool has_length = false;
  bool no_body = false;      // the message ends with its head
  bool until_close = false;  // a response whose body ends with the connection
  uint64_t content_length = 0;
  int status = 0;  // responses
};

class Parser {
 public:
  enum class Kind : uint8_t { Request, Response };
  enum class Event : uint8_t {
    NeedMore,  // nothing more to tell until there is more input
    Head,      // take_headers(), info(); if info().no_body, the message is complete
    Data,      // a piece of the body; `last` if the message is complete with it
    Trailers,  // take_headers() holds the trailers; the message is complete
    Complete,  // the message is complete (its end came after the last piece)
    Error,     // error(); no more events
  };
  struct Step {
    Event event;
    size_t consumed;             // drop that many bytes from the front before the next call
    std::string_view data = {};  // part of the input that was shown
    bool last = false;
  };

  Parser(Kind kind, const CodecOptions& options);

  // The next event in `input`. Bytes may be consumed with NeedMore too.
  Step next(std::string_view input);
  // The peer closed its side: Complete, if that ends the message; Error in the middle of one;
  // NeedMore between messages.
  Event finish();

  // For the next response: the method decides whether it has a body.
  void expect_response_to(bool head_request, bool connect_request);
  // The current message ends with its head after all, whatever follows (a refused upgrade).
  void end_message();

  const HeadInfo& info() const { return info_; }
  HeaderMap take_headers() { return std::move(headers_); }
  const ParseError& error() const { return error_; }
  // Nothing of a next message was seen yet.
  bool idle() const { return state_ == State::Start; }
  bool raw() const { return state_ == State::Raw; }
  // Raw because of an upgrade or a CONNECT that took effect (responses).
  bool tunnel() const { return raw() && tunnel_; }

 private:
  enum class State : uint8_t {
    Start,  // between messages: an empty line may come first
    Fields,
    Length,  // a body of remaining_ bytes
    ChunkSize,
    ChunkData,
    ChunkEnd,  // the CRLF after a chunk
    TrailerFields,
    Raw,
    Failed,
  };
  enum class Line : uint8_t { Done, Partial, Bad };

  Line fail(int status, std::string_view details, std::string_view reason);
  // Finds the line at the front of `input`, without its CRLF; `consumed` counts that too.
  Line find_line(std::string_view input, std::string_view& line, size_t& consumed);
  Line check_size(size_t bytes);
  Step head_step(std::string_view input);
  Step trailer_step(std::string_view input);
  Step chunk_step(std::string_view input);
  Step length_step(std::string_view input);

  Line parse_start(std::string_view input, size_t& consumed);
  Line parse_request_line(std::string_view line);
  Line parse_status_line(std::string_view line);
  Line parse_target(std::string_view target);
  Line parse_absolute_target(std::string_view target);
  Line parse_version(std::string_view text);
  Line parse_field(std::string_view input, size_t& consumed);
  Line add_field(std::string_view raw_name, std::string_view name, std::string_view value);
  Line take_field(HeaderId id, std::string_view value, bool& keep);
  Line take_host(std::string_view value);
  Line take_length(std::string_view value);
  Line take_transfer_encoding(std::string_view value);
  Line take_connection(std::string_view value);
  Line take_trailer(HeaderId id, bool& keep);
  Line finish_head();
  Line finish_request_head();
  Line finish_response_head();
  void drop_nominated_fields();
  void start_body();
  Line parse_chunk_size(std::string_view line);

  const Kind kind_;
  const CodecOptions& options_;
  State state_ = State::Start;
  bool in_trailers_ = false;
  bool skipped_empty_line_ = false;
  bool absolute_target_ = false;
  bool host_seen_ = false;
  bool upgrade_option_ = false;  // connection: upgrade
  bool upgrade_field_ = false;
  bool keep_alive_option_ = false;
  bool close_option_ = false;
  bool te_trailers_ = false;
  bool nominated_ = false;        // connection names other fields too
  bool not_implemented_ = false;  // a transfer coding other than chunked
  bool tunnel_ = false;
  bool expects_head_ = false;
  bool expects_connect_ = false;
  size_t scanned_ = 0;  // of a partial line: no LF before that offset
  size_t head_bytes_ = 0;
  uint32_t field_count_ = 0;
  uint64_t remaining_ = 0;
  size_t extension_bytes_ = 0;
  std::string connection_;  // the options, lower case, where some name other fields
  HeadInfo info_;
  HeaderMap headers_;
  ParseError error_;
};

}  // namespace sennit::http::http1

#include "http/http1/parser.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "http/syntax.h"

namespace sennit::http::http1 {
namespace {

constexpr std::string_view kCodecError = "http1.codec_error";
constexpr std::string_view kInvalidCharacters = "http1.invalid_characters";
constexpr std::string_view kInvalidUrl = "http1.invalid_url";
constexpr std::string_view kInvalidTransferEncoding = "http1.invalid_transfer_encoding";
constexpr std::string_view kBodyDisallowed = "http1.body_disallowed";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

Parser::Parser(Kind kind, const CodecOptions& options) : kind_(kind), options_(options) {}

Parser::Line Parser::fail(int status, std::string_view details, std::string_view reason) {
  state_ = State::Failed;
  error_ = {status, details, reason};
  return Line::Bad;
}

void Parser::expect_response_to(bool head_request, bool connect_request) {
  expects_head_ = head_request;
  expects_connect_ = connect_request;
}

void Parser::end_message() {
  state_ = State::Start;
}

Parser::Step Parser::next(std::string_view input) {
  switch (state_) {
    case State::Start:
    case State::Fields:
      return head_step(input);
    case State::Length:
      return length_step(input);
    case State::ChunkSize:
    case State::ChunkData:
    case State::ChunkEnd:
      return chunk_step(input);
    case State::TrailerFields:
      return trailer_step(input);
    case State::Raw:
      if (input.empty()) return {Event::NeedMore, 0};
      return {Event::Data, input.size(), input};
    case State::Failed:
      break;
  }
  return {Event::Error, 0};
}

Parser::Event Parser::finish() {
  if (state_ == State::Raw) {
    state_ = State::Start;
    return Event::Complete;
  }
  if (state_ == State::Start && scanned_ == 0) return Event::NeedMore;
  if (state_ != State::Failed) fail(400, kCodecError, "the peer closed in the middle of a message");
  return Event::Error;
}

// ---- lines ----

Parser::Line Parser::check_size(size_t bytes) {
  if (head_bytes_ + bytes <= options_.limits.max_header_bytes) return Line::Done;
  if (in_trailers_) return fail(431, "http1.trailers_too_large", "the trailers are too large");
  return fail(431, "http1.headers_too_large", "the head is too large");
}

Parser::Line Parser::find_line(std::string_view input, std::string_view& line, size_t& consumed) {
  const char* lf = nullptr;
  if (scanned_ < input.size()) {
    lf = static_cast<const char*>(
        std::memchr(input.data() + scanned_, '\n', input.size() - scanned_));
  }
  if (lf == nullptr) {
    scanned_ = input.size();
    return check_size(input.size()) == Line::Bad ? Line::Bad : Line::Partial;
  }
  scanned_ = 0;
  const auto length = static_cast<size_t>(lf - input.data());
  consumed = length + 1;
  if (check_size(consumed) == Line::Bad) return Line::Bad;
  if (length == 0 || input[length - 1] != '\r') return fail(400, kCodecError, "a bare LF");
  line = input.substr(0, length - 1);
  return Line::Done;
}

Parser::Step Parser::head_step(std::string_view input) {
  size_t position = 0;
  while (true) {
    const std::string_view rest = input.substr(position);
    size_t consumed = 0;
    Line line;
    if (state_ == State::Fields) {
      line = parse_field(rest, consumed);
    } else {
      line = parse_start(rest, consumed);
    }
    if (line == Line::Bad) return {Event::Error, position};
    if (line == Line::Partial) return {Event::NeedMore, position};
    position += consumed;
    head_bytes_ += consumed;
    if (state_ != State::Fields && state_ != State::Start) break;
    // finish_head() may come back to Start with a message that has no body.
    if (state_ == State::Start && info_.no_body) break;
  }
  return {Event::Head, position};
}

Parser::Line Parser::parse_start(std::string_view input, size_t& consumed) {
  if (input.empty()) return Line::Partial;
  // Nothing of the former message may count against this one, or shape the answer to it.
  info_ = {};
  head_bytes_ = 0;
  in_trailers_ = false;
  // Binary junk (a TLS hello, say) is refused at its first byte instead of waiting for a line end.
  const auto first = static_cast<unsigned char>(input.front());
  if (kTokenLower[first] == 0 && first != '\r' && first != '\n') {
    return fail(400, kCodecError, "the message does not begin with a start line");
  }
  std::string_view line;
  if (const Line found = find_line(input, line, consumed); found != Line::Done) return found;
  if (line.empty()) {
    // RFC 9112 §2.2: one empty line before a request line is to be ignored.
    if (kind_ == Kind::Response || skipped_empty_line_) {
      return fail(400, kCodecError, "an empty line instead of a start line");
    }
    skipped_empty_line_ = true;
    return Line::Done;
  }
  headers_.clear();
  field_count_ = 0;
  extension_bytes_ = 0;
  absolute_target_ = host_seen_ = upgrade_option_ = upgrade_field_ = false;
  keep_alive_option_ = close_option_ = te_trailers_ = nominated_ = not_implemented_ = false;
  skipped_empty_line_ = false;
  connection_.clear();
  state_ = State::Fields;
  return kind_ == Kind::Request ? parse_request_line(line) : parse_status_line(line);
}

Parser::Line Parser::parse_version(std::string_view text) {
  if (text == "HTTP/1.1") return Line::Done;
  if (text == "HTTP/1.0") {
    info_.http10 = true;
    return Line::Done;
  }
  return fail(kind_ == Kind::Request && text.starts_with("HTTP/") && text.size() == 8 ? 505 : 400,
              kCodecError, "not HTTP/1.1 or HTTP/1.0");
}

Parser::Line Parser::parse_request_line(std::string_view line) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end == method_end) {
    return fail(400, kCodecError, "not a request line of HTTP/1");
  }
  const std::string_view method = line.substr(0, method_end);
  if (method.size() > kMaxMethodBytes || !is_token(method)) {
    return fail(400, kCodecError, "a malformed method");
  }
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  if (!is_target(target)) return fail(400, kInvalidUrl, "a malformed request target");
  if (parse_version(line.substr(target_end + 1)) == Line::Bad) return Line::Bad;
  info_.head = method == "HEAD";
  info_.connect = method == "CONNECT";
  headers_.add(HeaderId::Method, method);
  return parse_target(target);
}

Parser::Line Parser::parse_target(std::string_view target) {
  if (info_.connect) {
    const size_t colon = target.rfind(':');
    if (!is_authority(target) || colon == std::string_view::npos || target.back() == ']') {
      return fail(400, kInvalidUrl, "CONNECT takes host:port");
    }
    headers_.add(HeaderId::Authority, target);
    absolute_target_ = true;
    return Line::Done;
  }
  if (target.front() == '/') {
    headers_.add(HeaderId::Path, target);
    return Line::Done;
  }
  if (target == "*") {
    if (headers_.method() != "OPTIONS") return fail(400, kInvalidUrl, "* is for OPTIONS only");
    headers_.add(HeaderId::Path, target);
    return Line::Done;
  }
  return parse_absolute_target(target);
}

Parser::Line Parser::parse_absolute_target(std::string_view target) {
  if (!options_.allow_absolute_url) return fail(400, kInvalidUrl, "an absolute request target");
  const size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return fail(400, kInvalidUrl, "a malformed target");
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) {
    return fail(400, kInvalidUrl, "the target's scheme is neither http nor https");
  }
  const std::string_view rest = target.substr(scheme_end + 3);
  const size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, authority_end);
  if (!is_authority(authority)) return fail(400, kInvalidUrl, "a malformed authority");
  const std::string_view path = rest.substr(authority_end);
  headers_.add(HeaderId::Scheme, scheme.size() == 5 ? "https" : "http");
  headers_.add(HeaderId::Authority, authority);
  if (path.empty() || path.front() != '/') {
    const bool options_star = path.empty() && headers_.method() == "OPTIONS";
    headers_.add(HeaderId::Path, options_star ? std::string("*") : "/" + std::string(path));
  } else {
    headers_.add(HeaderId::Path, path);
  }
  absolute_target_ = true;
  return Line::Done;
}

Parser::Line Parser::parse_status_line(std::string_view line) {
  if (line.size() < 12 || line[8] != ' ') return fail(502, kCodecError, "a malformed status line");
  if (parse_version(line.substr(0, 8)) == Line::Bad) return Line::Bad;
  const std::string_view digits = line.substr(9, 3);
  const auto status = parse_decimal(digits);
  if (!status || *status < 100 || *status > 599) return fail(502, kCodecError, "a bad status");
  if (line.size() > 12 && (line[12] != ' ' || !is_field_value(line.substr(13)))) {
    return fail(502, kCodecError, "a malformed status line");
  }
  info_.status = static_cast<int>(*status);
  headers_.add(HeaderId::Status, digits);
  return Line::Done;
}

// ---- fields ----

Parser::Line Parser::parse_field(std::string_view input, size_t& consumed) {
  std::string_view line;
  if (const Line found = find_line(input, line, consumed); found != Line::Done) return found;
  if (line.empty()) return finish_head();
  if (++field_count_ > options_.limits.max_header_count) {
    return fail(431, in_trailers_ ? "http1.too_many_trailers" : "http1.too_many_headers",
                "too many fields");
  }
  char lowered[128];
  std::string long_name;
  size_t length = 0;
  while (length < line.size()) {
    const char c = kTokenLower[static_cast<unsigned char>(line[length])];
    if (c == 0) break;
    if (length < sizeof lowered) lowered[length] = c;
    ++length;
  }
  if (length == 0 || length == line.size() || line[length] != ':') {
    return fail(400, kCodecError, "a malformed field line");
  }
  const std::string_view raw_name = line.substr(0, length);
  std::string_view name(lowered, length);
  if (length > sizeof lowered) {
    long_name.assign(raw_name);
    for (char& c : long_name) c = lower(c);
    name = long_name;
  }
  const std::string_view value = line.substr(length + 1);
  if (!is_field_value(value)) return fail(400, kInvalidCharacters, "a control byte in a value");
  return add_field(raw_name, name, trim_whitespace(value));
}

Parser::Line Parser::add_field(std::string_view raw_name, std::string_view name,
                               std::string_view value) {
  HeaderId id = header_id(name);
  bool keep = true;
  if (id != HeaderId::None && take_field(id, value, keep) == Line::Bad) return Line::Bad;
  if (!keep) return Line::Done;
  if (id == HeaderId::Host && kind_ == Kind::Request) id = HeaderId::Authority;
  if (options_.preserve_header_case && id != HeaderId::Authority) {
    headers_.add_preserved(id, name, raw_name, value);
  } else {
    headers_.add(id, name, value);
  }
  return Line::Done;
}

Parser::Line Parser::take_field(HeaderId id, std::string_view value, bool& keep) {
  if (in_trailers_) return take_trailer(id, keep);
  switch (id) {
    case HeaderId::Host:
      keep = kind_ == Kind::Response || !absolute_target_;
      return kind_ == Kind::Request ? take_host(value) : Line::Done;
    case HeaderId::ContentLength:
      return take_length(value);
    case HeaderId::TransferEncoding:
      keep = false;
      return take_transfer_encoding(value);
    case HeaderId::Connection:
      keep = false;
      return take_connection(value);
    case HeaderId::KeepAlive:
    case HeaderId::ProxyConnection:
      keep = false;
      return Line::Done;
    case HeaderId::Te:
      keep = false;
      for_each_element(value, [this](std::string_view element) {
        te_trailers_ |= equal_ignoring_case(element, "trailers");
      });
      return Line::Done;
    case HeaderId::Upgrade:
      // Envoy and RFC 9113 §3.1: the h2c upgrade is ignored.
      keep = !equal_ignoring_case(value, "h2c");
      upgrade_field_ |= keep;
      return Line::Done;
    default:
      return Line::Done;
  }
}

Parser::Line Parser::take_trailer(HeaderId id, bool& keep) {
  switch (id) {
    case HeaderId::ContentLength:
    case HeaderId::TransferEncoding:
    case HeaderId::Host:
      return fail(400, kCodecError, "a framing field among the trailers");
    case HeaderId::Connection:
    case HeaderId::KeepAlive:
    case HeaderId::ProxyConnection:
    case HeaderId::Te:
    case HeaderId::Upgrade:
    case HeaderId::Trailer:
      keep = false;
      return Line::Done;
    default:
      return Line::Done;
  }
}

Parser::Line Parser::take_host(std::string_view value) {
  if (host_seen_) return fail(400, kCodecError, "several Host fields");
  host_seen_ = true;
  if (!is_authority(value)) return fail(400, kCodecError, "a malformed Host");
  return Line::Done;
}

Parser::Line Parser::take_length(std::string_view value) {
  if (info_.has_length) return fail(400, kCodecError, "several Content-Length fields");
  const auto length = parse_decimal(value);
  if (!length) return fail(400, kCodecError, "a malformed Content-Length");
  info_.has_length = true;
  info_.content_length = *length;
  return Line::Done;
}

Parser::Line Parser::take_transfer_encoding(std::string_view value) {
  if (info_.chunked || not_implemented_) {
    return fail(400, kInvalidTransferEncoding, "several Transfer-Encoding fields");
  }
  if (equal_ignoring_case(value, "chunked")) {
    info_.chunked = true;
    return Line::Done;
  }
  const size_t comma = value.rfind(',');
  if (comma == std::string_view::npos ||
      !equal_ignoring_case(trim_whitespace(value.substr(comma + 1)), "chunked")) {
    return fail(400, kInvalidTransferEncoding, "chunked is not the last transfer coding");
  }
  bool twice = false;
  for_each_element(value.substr(0, comma), [&](std::string_view coding) {
    twice |= equal_ignoring_case(coding, "chunked");
  });
  if (twice) return fail(400, kInvalidTransferEncoding, "chunked more than once");
  not_implemented_ = true;
  return Line::Done;
}

Parser::Line Parser::take_connection(std::string_view value) {
  Line result = Line::Done;
  for_each_element(value, [&](std::string_view option) {
    std::string name(option);
    for (char& c : name) c = lower(c);
    if (name == "close") {
      close_option_ = true;
    } else if (name == "keep-alive") {
      keep_alive_option_ = true;
    } else if (name == "upgrade") {
      upgrade_option_ = true;
    } else if (name != "te") {
      // As Envoy: these may not be taken out by whoever comes first.
      const bool forbidden = name == "host" || name == "content-length" || !is_token(name) ||
                             name == "x-forwarded-for" || name == "x-forwarded-host" ||
                             name == "x-forwarded-proto" || name == "authorization";
      if (forbidden) {
        result = fail(400, "http1.connection_header_rejected", "Connection names what it must not");
      }
      nominated_ = true;
      connection_.append(",").append(name).append(",");
    }
  });
  return result;
}

// ---- the end of the head ----

Parser::Line Parser::finish_head() {
  if (in_trailers_) {
    state_ = State::Start;
    return Line::Done;
  }
  if (info_.chunked || not_implemented_) {
    if (info_.has_length) {
      return fail(400, "http1.content_length_and_chunked_not_allowed",
                  "both Content-Length and Transfer-Encoding");
    }
    if (info_.http10) {
      return fail(400, "http1.transfer_encoding_not_allowed", "Transfer-Encoding in HTTP/1.0");
    }
    if (not_implemented_) {
      return fail(501, kInvalidTransferEncoding, "a transfer coding other than chunked");
    }
  }
  info_.keep_alive = !close_option_ && (!info_.http10 || keep_alive_option_);
  if (nominated_) drop_nominated_fields();
  const Line line = kind_ == Kind::Request ? finish_request_head() : finish_response_head();
  if (line != Line::Done) return line;
  if (info_.upgrade) {
    headers_.add(HeaderId::Connection, "upgrade");
  } else if (upgrade_field_) {
    headers_.remove(HeaderId::Upgrade);
  }
  if (te_trailers_ && kind_ == Kind::Request) headers_.add(HeaderId::Te, "trailers");
  start_body();
  return Line::Done;
}

void Parser::drop_nominated_fields() {
  headers_.remove_if([this](const HeaderMap::Field& field) {
    if (field.name.front() == ':' || field.id == HeaderId::Upgrade) return false;
    const std::string wanted = "," + std::string(field.name) + ",";
    return connection_.find(wanted) != std::string::npos;
  });
}

Parser::Line Parser::finish_request_head() {
  if (!host_seen_ && !absolute_target_) {
    if (!info_.http10) return fail(400, kCodecError, "no Host");
    if (!options_.default_host_for_http10.empty()) {
      headers_.add(HeaderId::Authority, options_.default_host_for_http10);
    } else if (options_.accept_http10) {
      return fail(400, kCodecError, "no Host");
    }
  }
  if (!host_seen_ && absolute_target_ && !info_.http10) return fail(400, kCodecError, "no Host");
  if (info_.http10 && !options_.accept_http10) {
    return fail(426, "low_version", "HTTP/1.0 is not accepted");
  }
  const bool has_body = info_.chunked || info_.content_length > 0;
  if (info_.connect && (info_.chunked || info_.has_length)) {
    return fail(400, kBodyDisallowed, "CONNECT with a body");
  }
  // RFC 9110 §7.8: an upgrade may be ignored; with a body it is, since what follows is the body.
  info_.upgrade = upgrade_option_ && upgrade_field_ && !has_body && !info_.http10;
  info_.no_body = !has_body && !info_.upgrade && !info_.connect;
  return Line::Done;
}

Parser::Line Parser::finish_response_head() {
  const int status = info_.status;
  const bool informational = status < 200;
  if (informational || status == 204) {
    if (info_.chunked) {
      return fail(502, "http1.transfer_encoding_not_allowed", "Transfer-Encoding without a body");
    }
    if (info_.content_length > 0) {
      return fail(502, "http1.content_length_not_allowed", "Content-Length without a body");
    }
    headers_.remove(HeaderId::ContentLength);
  }
  info_.upgrade = status == 101 && upgrade_field_ && upgrade_option_;
  tunnel_ = info_.upgrade || (expects_connect_ && status / 100 == 2);
  if (tunnel_) {
    info_.until_close = true;
  } else if (informational || status == 204 || status == 304 || expects_head_) {
    info_.no_body = true;
  } else if (!info_.chunked && !info_.has_length) {
    info_.until_close = true;
    info_.keep_alive = false;
  } else {
    info_.no_body = info_.has_length && info_.content_length == 0;
  }
  if (tunnel_) info_.chunked = info_.has_length = false;
  return Line::Done;
}

void Parser::start_body() {
  if (info_.no_body) {
    state_ = State::Start;
  } else if (info_.chunked) {
    state_ = State::ChunkSize;
  } else if (kind_ == Kind::Response && info_.until_close) {
    state_ = State::Raw;
  } else if (info_.upgrade || info_.connect) {
    state_ = State::Raw;
  } else {
    state_ = State::Length;
    remaining_ = info_.content_length;
  }
}

// ---- bodies ----

Parser::Step Parser::length_step(std::string_view input) {
  if (input.empty()) return {Event::NeedMore, 0};
  const auto length = static_cast<size_t>(std::min<uint64_t>(remaining_, input.size()));
  remaining_ -= length;
  if (remaining_ == 0) state_ = State::Start;
  return {Event::Data, length, input.substr(0, length), remaining_ == 0};
}

Parser::Line Parser::parse_chunk_size(std::string_view line) {
  size_t digits = 0;
  uint64_t size = 0;
  while (digits < line.size() && hex_digit(line[digits]) >= 0) {
    if (digits == 16) return fail(400, kCodecError, "a chunk size out of range");
    size = size << 4 | static_cast<uint64_t>(hex_digit(line[digits]));
    ++digits;
  }
  const std::string_view extension = line.substr(digits);
  if (digits == 0 || (!extension.empty() && extension.front() != ';')) {
    return fail(400, kCodecError, "a malformed chunk size");
  }
  extension_bytes_ += extension.size();
  if (extension.size() > kMaxChunkExtensionBytes || extension_bytes_ > kMaxMessageExtensionBytes) {
    return fail(400, kCodecError, "chunk extensions are too long");
  }
  if (!is_field_value(extension)) return fail(400, kCodecError, "a malformed chunk extension");
  remaining_ = size;
  return Line::Done;
}

Parser::Step Parser::chunk_step(std::string_view input) {
  size_t position = 0;
  if (state_ == State::ChunkEnd) {
    if (input.empty()) return {Event::NeedMore, 0};
    if (input[0] != '\r' || (input.size() > 1 && input[1] != '\n')) {
      fail(400, kCodecError, "a chunk does not end with its size");
      return {Event::Error, 0};
    }
    if (input.size() < 2) return {Event::NeedMore, 0};
    position = 2;
    state_ = State::ChunkSize;
  }
  if (state_ == State::ChunkSize) {
    const std::string_view rest = input.substr(position);
    head_bytes_ = 0;
    if (rest.size() > kMaxChunkExtensionBytes + 32 &&
        rest.find('\n') > kMaxChunkExtensionBytes + 32) {
      fail(400, kCodecError, "chunk extensions are too long");
      return {Event::Error, position};
    }
    std::string_view line;
    size_t consumed = 0;
    switch (find_line(rest, line, consumed)) {
      case Line::Bad:
        return {Event::Error, position};
      case Line::Partial:
        return {Event::NeedMore, position};
      case Line::Done:
        break;
    }
    if (parse_chunk_size(line) == Line::Bad) return {Event::Error, position};
    position += consumed;
    if (remaining_ == 0) {
      state_ = State::TrailerFields;
      in_trailers_ = true;
      field_count_ = 0;
      head_bytes_ = 0;
      headers_.clear();
      Step step = trailer_step(input.substr(position));
      step.consumed += position;
      return step;
    }
    state_ = State::ChunkData;
  }
  const std::string_view rest = input.substr(position);
  if (rest.empty()) return {Event::NeedMore, position};
  const auto length = static_cast<size_t>(std::min<uint64_t>(remaining_, rest.size()));
  remaining_ -= length;
  if (remaining_ == 0) state_ = State::ChunkEnd;
  return {Event::Data, position + length, rest.substr(0, length)};
}

Parser::Step Parser::trailer_step(std::string_view input) {
  size_t position = 0;
  while (state_ == State::TrailerFields) {
    size_t consumed = 0;
    const Line line = parse_field(input.substr(position), consumed);
    if (line == Line::Bad) return {Event::Error, position};
    if (line == Line::Partial) return {Event::NeedMore, position};
    position += consumed;
    head_bytes_ += consumed;
  }
  if (!options_.enable_trailers) headers_.clear();
  return {headers_.empty() ? Event::Complete : Event::Trailers, position};
}

}  // namespace sennit::http::http1

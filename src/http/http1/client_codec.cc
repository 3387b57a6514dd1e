#include "http/http1/client_codec.h"

#include <utility>

#include "http/syntax.h"

namespace sennit::http::http1 {
namespace {

// Methods whose requests are expected to have a body, so that an empty one is told.
bool announces_empty_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

ClientConnection::ClientConnection(net::Connection& connection, const CodecOptions& options,
                                   ClientCodecCallbacks& callbacks)
    : connection_(connection),
      options_(options),
      callbacks_(callbacks),
      parser_(Parser::Kind::Response, options_) {}

RequestEncoder& ClientConnection::new_stream(ResponseDecoder& decoder) {
  open_ = true;
  decoder_ = &decoder;
  stream_ = nullptr;
  request_started_ = request_done_ = response_done_ = tunnel_ = upgrade_asked_ = false;
  body_ = {};
  return *this;
}

Status ClientConnection::dispatch(net::Buffer& input, bool end_stream) {
  while (open_ && !response_done_) {
    const Parser::Step step = parser_.next(input.view());
    if (step.event == Parser::Event::NeedMore) {
      input.drain(step.consumed);
      break;
    }
    const Status status = deliver(step);
    input.drain(step.consumed);
    if (!status) {
      input.clear();
      return status;
    }
  }
  if (!input.empty() && (!open_ || response_done_)) {
    // Bytes that answer no request: whoever came next would take them for its response.
    reusable_ = false;
    ++stats_.protocol_errors;
    input.clear();
    if (!open_) return fail("HTTP/1: bytes after the response");
  }
  if (end_stream && !finish_half_closed_tunnel()) on_connection_closed();
  return {};
}

Status ClientConnection::deliver(const Parser::Step& step) {
  const bool completes =
      step.last || step.event == Parser::Event::Trailers || step.event == Parser::Event::Complete;
  if (completes) response_done_ = true;
  switch (step.event) {
    case Parser::Event::NeedMore:
      break;
    case Parser::Event::Head:
      if (!request_started_) {
        reusable_ = false;
        ++stats_.protocol_errors;
        reset_stream(ResetReason::ProtocolError);
        return fail("HTTP/1: a response before the request");
      }
      deliver_head();
      break;
    case Parser::Event::Data:
      decoder_->on_data(step.data, step.last);
      break;
    case Parser::Event::Trailers:
      decoder_->on_trailers(parser_.take_headers());
      break;
    case Parser::Event::Complete:
      decoder_->on_data({}, true);
      break;
    case Parser::Event::Error:
      reusable_ = false;
      ++stats_.protocol_errors;
      if (parser_.error().status == 431) ++stats_.header_overflow;
      reset_stream(ResetReason::ProtocolError);
      return fail("HTTP/1: {}", parser_.error().reason);
  }
  if (completes) close_stream_if_done();
  return {};
}

void ClientConnection::deliver_head() {
  const HeadInfo& info = parser_.info();
  HeaderMap headers = parser_.take_headers();
  if (info.status < 200 && info.status != 101) {
    decoder_->on_1xx(std::move(headers));
    return;
  }
  if (!info.keep_alive || info.until_close) reusable_ = false;
  if (info.status == 101 && (!info.upgrade || !upgrade_asked_)) {
    reusable_ = false;
    ++stats_.protocol_errors;
    return reset_stream(ResetReason::ProtocolError);
  }
  if (parser_.tunnel()) {
    tunnel_ = true;
    connection_.enable_half_close(true);
    if (request_done_) connection_.shutdown_write();
  }
  const bool ended = info.no_body;
  if (ended) response_done_ = true;
  decoder_->on_headers(std::move(headers), ended);
  if (ended) close_stream_if_done();
}

// The server has said all, but may still listen (RFC 9110 §9.3.6). False: there is no tunnel whose
// other direction goes on.
bool ClientConnection::finish_half_closed_tunnel() {
  if (!open_ || !tunnel_ || request_done_ || response_done_) return false;
  response_done_ = true;
  decoder_->on_data({}, true);
  return true;
}

void ClientConnection::close_stream_if_done() {
  if (open_ && request_done_ && response_done_) end_stream();
}

void ClientConnection::end_stream() {
  open_ = false;
  decoder_ = nullptr;
  stream_ = nullptr;
  for (; read_disables_ > 0; --read_disables_) connection_.read_disable(false);
  callbacks_.on_stream_closed(*this);
}

void ClientConnection::reset_stream(ResetReason reason) {
  if (!open_) return;
  reusable_ = false;
  if (StreamCallbacks* stream = std::exchange(stream_, nullptr)) stream->on_reset(reason);
  if (open_) end_stream();
}

void ClientConnection::on_connection_closed() {
  reusable_ = false;
  if (!open_) return;
  if (!response_done_ && parser_.finish() == Parser::Event::Complete) {
    response_done_ = true;
    decoder_->on_data({}, true);
    close_stream_if_done();
  }
  if (open_) reset_stream(ResetReason::ConnectionTermination);
}

void ClientConnection::read_disable(bool disable) {
  if (!open_) return;
  if (disable) {
    ++read_disables_;
  } else if (read_disables_ > 0) {
    --read_disables_;
  } else {
    return;
  }
  connection_.read_disable(disable);
}

void ClientConnection::on_connection_above_watermark() {
  if (stream_ != nullptr) stream_->on_above_write_watermark();
}

void ClientConnection::on_connection_below_watermark() {
  if (stream_ != nullptr) stream_->on_below_write_watermark();
}

// ---- the request ----

void ClientConnection::encode_headers(const HeaderMap& headers, bool end_stream) {
  if (!open_ || request_started_) return;
  request_started_ = true;
  const std::string_view method = headers.method();
  const bool connect = method == "CONNECT";
  const bool upgrade =
      !connect && headers.has(HeaderId::Upgrade) && headers.has(HeaderId::Connection);
  const auto length = parse_decimal(headers.get(HeaderId::ContentLength).value_or(""));
  upgrade_asked_ = upgrade;
  HeadOptions head{.raw_names = options_.preserve_header_case};
  BodyWriter::Mode mode = BodyWriter::Mode::None;
  if (connect || upgrade) {
    mode = BodyWriter::Mode::Raw;
    head.drop_length = true;
    reusable_ = false;
    if (upgrade) head.connection = ConnectionField::Upgrade;
    if (upgrade && announces_empty_body(method)) head.framing = Framing::LengthZero;
  } else if (length) {
    mode = BodyWriter::Mode::Length;
  } else {
    head.drop_length = true;
    if (!end_stream) {
      mode = BodyWriter::Mode::Chunked;
      head.framing = Framing::Chunked;
    } else if (announces_empty_body(method)) {
      head.framing = Framing::LengthZero;
    }
  }
  body_.begin(mode, length.value_or(0));
  parser_.expect_response_to(method == "HEAD", connect);
  write_request_head(connection_.output(), headers, head);
  connection_.flush_soon();
  if (end_stream) request_done(nullptr);
}

void ClientConnection::encode_data(std::string_view data, bool end_stream) {
  if (!open_ || !request_started_ || request_done_) return;
  body_.data(connection_.output(), data);
  connection_.flush_soon();
  if (end_stream) request_done(nullptr);
}

void ClientConnection::encode_trailers(const HeaderMap& trailers) {
  if (!open_ || !request_started_ || request_done_) return;
  request_done(options_.enable_trailers ? &trailers : nullptr);
}

void ClientConnection::request_done(const HeaderMap* trailers) {
  body_.end(connection_.output(), trailers);
  connection_.flush_soon();
  request_done_ = true;
  if (!body_.framed()) reusable_ = false;
  // Before the answer nothing is shut: a server may take that for a client that has gone away.
  if (tunnel_) connection_.shutdown_write();
  close_stream_if_done();
}

void ClientConnection::reset(ResetReason) {
  if (!open_) return;
  ++stats_.tx_reset;
  reusable_ = false;
  stream_ = nullptr;
  end_stream();
  connection_.close(net::CloseType::NoFlush);
}

}  // namespace sennit::http::http1

namespace sennit::http {

std::unique_ptr<ClientCodec> make_http1_client(net::Connection& connection,
                                               const CodecOptions& options,
                                               ClientCodecCallbacks& callbacks) {
  return std::make_unique<http1::ClientConnection>(connection, options, callbacks);
}

}  // namespace sennit::http

#include "http/http1/server_codec.h"

#include <utility>

#include "http/syntax.h"

namespace sennit::http::http1 {

ServerConnection::ServerConnection(net::Connection& connection, const CodecOptions& options,
                                   ServerCodecCallbacks& callbacks)
    : connection_(connection),
      options_(options),
      callbacks_(callbacks),
      parser_(Parser::Kind::Request, options_) {}

// A request is complete and its response is not, or an upgrade is undecided.
bool ServerConnection::must_wait() const {
  return open_ && (request_done_ || upgrade_waits_);
}

Status ServerConnection::dispatch(net::Buffer& input, bool end_stream) {
  while (!dead_ && !must_wait()) {
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
  if (dead_) {
    input.clear();
    return {};
  }
  if (end_stream) {
    on_half_close();
  } else {
    pause(must_wait() && !input.empty());
  }
  return {};
}

Status ServerConnection::deliver(const Parser::Step& step) {
  switch (step.event) {
    case Parser::Event::NeedMore:
      break;
    case Parser::Event::Head:
      deliver_head();
      break;
    case Parser::Event::Data:
      if (step.last) request_done_ = true;
      decoder_->on_data(step.data, step.last);
      if (step.last) close_stream_if_done();
      break;
    case Parser::Event::Trailers:
      request_done_ = true;
      decoder_->on_trailers(parser_.take_headers());
      close_stream_if_done();
      break;
    case Parser::Event::Complete:
      request_done_ = true;
      decoder_->on_data({}, true);
      close_stream_if_done();
      break;
    case Parser::Event::Error:
      return refuse();
  }
  return {};
}

void ServerConnection::open_stream() {
  open_ = true;
  request_done_ = response_started_ = response_done_ = upgrade_waits_ = false;
  close_after_ = !parser_.info().keep_alive;
  protocol_ = parser_.info().http10 ? Protocol::Http10 : Protocol::Http11;
  body_ = {};
  stream_ = nullptr;
  decoder_ = &callbacks_.on_new_stream(*this);
}

void ServerConnection::deliver_head() {
  HeaderMap headers = parser_.take_headers();
  if (!headers.has(HeaderId::Scheme)) {
    headers.add(HeaderId::Scheme, connection_.tls() != nullptr ? "https" : "http");
  }
  const bool ended = parser_.info().no_body;
  open_stream();
  upgrade_waits_ = parser_.info().upgrade;
  request_done_ = ended;
  decoder_->on_headers(std::move(headers), ended);
  if (ended) close_stream_if_done();
}

// The parser met what it does not take: the layer above answers, and the connection ends.
Status ServerConnection::refuse() {
  const ParseError error = parser_.error();
  ++stats_.protocol_errors;
  if (error.status == 431) ++stats_.header_overflow;
  if (!open_) open_stream();
  close_after_ = true;
  request_done_ = true;
  if (!response_started_) decoder_->on_bad_request(error.status, error.details);
  if (open_) reset_stream(ResetReason::ProtocolError);
  dead_ = true;
  return sennit::fail("HTTP/1: {}", error.reason);
}

void ServerConnection::close_stream_if_done() {
  if (open_ && request_done_ && response_done_) end_stream();
}

// The stream is over, whichever way.
void ServerConnection::end_stream() {
  open_ = false;
  decoder_ = nullptr;
  stream_ = nullptr;
  for (; read_disables_ > 0; --read_disables_) connection_.read_disable(false);
  const bool close = (close_after_ || draining_) && !dead_;
  if (close) dead_ = true;
  callbacks_.on_stream_closed(*this);
  if (close) {
    connection_.close(net::CloseType::FlushWrite);
  } else {
    pause(false);
  }
}

void ServerConnection::reset_stream(ResetReason reason) {
  StreamCallbacks* stream = std::exchange(stream_, nullptr);
  dead_ = true;
  if (stream != nullptr) stream->on_reset(reason);
  if (open_) end_stream();
}

void ServerConnection::on_connection_closed() {
  dead_ = true;
  if (open_) reset_stream(ResetReason::ConnectionTermination);
}

// The client has said all. In a tunnel the other direction may go on (RFC 9110 §9.3.6); a client
// that closes while its answer is being made has gone away.
void ServerConnection::on_half_close() {
  if (!open_ || !tunnel_) return on_connection_closed();
  if (request_done_) return;
  request_done_ = true;
  decoder_->on_data({}, true);
  close_stream_if_done();
}

void ServerConnection::pause(bool on) {
  if (paused_ == on) return;
  paused_ = on;
  connection_.read_disable(on);
}

void ServerConnection::read_disable(bool disable) {
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

void ServerConnection::on_connection_above_watermark() {
  if (stream_ != nullptr) stream_->on_above_write_watermark();
}

void ServerConnection::on_connection_below_watermark() {
  if (stream_ != nullptr) stream_->on_below_write_watermark();
}

// ---- the response ----

void ServerConnection::encode_1xx(const HeaderMap& headers) {
  if (!open_ || response_started_ || parser_.info().http10) return;
  write_response_head(connection_.output(), headers, {.raw_names = options_.preserve_header_case});
  connection_.flush_soon();
}

void ServerConnection::encode_headers(const HeaderMap& headers, bool end_stream) {
  if (!open_ || response_started_) return;
  const HeadInfo& request = parser_.info();
  const int status = headers.status();
  // As Envoy: an accepted HTTP/1.0 is answered in kind, a refused one by what we speak.
  HeadOptions head{.http10 = protocol_ == Protocol::Http10 && options_.accept_http10,
                   .raw_names = options_.preserve_header_case};
  response_started_ = true;
  for_each_element(headers.get(HeaderId::Connection).value_or(""), [this](std::string_view option) {
    close_after_ |= equal_ignoring_case(option, "close");
  });
  close_after_ |= draining_;

  const auto length = parse_decimal(headers.get(HeaderId::ContentLength).value_or(""));
  const bool upgraded = status == 101 && request.upgrade;
  const bool tunnel = upgraded || (request.connect && status / 100 == 2);
  BodyWriter::Mode mode = BodyWriter::Mode::None;
  if (tunnel) {
    tunnel_ = true;
    connection_.enable_half_close(true);
    mode = BodyWriter::Mode::Raw;
    head.drop_length = true;
    close_after_ = true;  // when both ways have ended
  } else if (status < 200 || status == 204) {
    head.drop_length = true;
  } else if (request.head || status == 304) {
    // A length is told for its own sake; no body follows.
  } else if (length) {
    mode = BodyWriter::Mode::Length;
  } else if (end_stream) {
    head.framing = Framing::LengthZero;
    head.drop_length = true;
  } else if (protocol_ == Protocol::Http11) {
    mode = BodyWriter::Mode::Chunked;
    head.framing = Framing::Chunked;
    head.drop_length = true;
  } else {
    mode = BodyWriter::Mode::Raw;
    head.drop_length = true;
    close_after_ = true;
  }
  if (request.connect && !tunnel) close_after_ = true;
  if (request.upgrade && !upgraded) close_after_ = true;
  if (upgraded) {
    head.connection = ConnectionField::Upgrade;
  } else if (close_after_ && !tunnel) {
    head.connection = ConnectionField::Close;
  } else if (protocol_ == Protocol::Http10 && !tunnel) {
    head.connection = ConnectionField::KeepAlive;
  }
  body_.begin(mode, length.value_or(0));
  write_response_head(connection_.output(), headers, head);
  connection_.flush_soon();

  if (upgrade_waits_) {
    upgrade_waits_ = false;
    pause(false);
    if (!upgraded) {
      // The bytes that follow belong to nobody.
      parser_.end_message();
      request_done_ = true;
      decoder_->on_data({}, true);
      if (!open_) return;
    }
  }
  if (end_stream) response_done(nullptr);
}

void ServerConnection::encode_data(std::string_view data, bool end_stream) {
  if (!open_ || !response_started_ || response_done_) return;
  body_.data(connection_.output(), data);
  connection_.flush_soon();
  if (end_stream) response_done(nullptr);
}

void ServerConnection::encode_trailers(const HeaderMap& trailers) {
  if (!open_ || !response_started_ || response_done_) return;
  response_done(options_.enable_trailers ? &trailers : nullptr);
}

void ServerConnection::response_done(const HeaderMap* trailers) {
  if (!open_ || response_done_) return;
  body_.end(connection_.output(), trailers);
  connection_.flush_soon();
  response_done_ = true;
  if (!body_.framed()) close_after_ = true;
  // A tunnel that the upstream has closed: our side ends too.
  if (parser_.raw()) request_done_ = true;
  close_stream_if_done();
}

void ServerConnection::reset(ResetReason) {
  if (!open_) return;
  ++stats_.tx_reset;
  stream_ = nullptr;
  dead_ = true;
  const bool answered = response_done_ && body_.framed();
  end_stream();
  // An answer that is complete still gets out; half of one must not look whole.
  connection_.close(answered ? net::CloseType::FlushWrite : net::CloseType::NoFlush);
}

}  // namespace sennit::http::http1

namespace sennit::http {

std::unique_ptr<ServerCodec> make_http1_server(net::Connection& connection,
                                               const CodecOptions& options,
                                               ServerCodecCallbacks& callbacks) {
  return std::make_unique<http1::ServerConnection>(connection, options, callbacks);
}

}  // namespace sennit::http

// The outgoing half of a stream.
#include <algorithm>
#include <utility>

#include "http/http2/session.h"

namespace sennit::http::http2 {
namespace {

nghttp2_nv pair(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

bool is_dropped(const HeaderMap::Field& field, bool has_authority) {
  switch (field.id) {
    case HeaderId::Connection:
    case HeaderId::KeepAlive:
    case HeaderId::ProxyConnection:
    case HeaderId::TransferEncoding:
    case HeaderId::Upgrade:
      return true;
    case HeaderId::Te:
      return field.value != "trailers";
    case HeaderId::Host:
      return has_authority;
    default:
      return false;
  }
}

// Pseudo-fields first, whatever their place in the map.
std::vector<nghttp2_nv>& to_pairs(const HeaderMap& headers) {
  static thread_local std::vector<nghttp2_nv> pairs;
  pairs.clear();
  for (const HeaderMap::Field field : headers) {
    if (field.name.front() == ':') pairs.push_back(pair(field.name, field.value));
  }
  const bool has_authority = headers.has(HeaderId::Authority);
  for (const HeaderMap::Field field : headers) {
    if (field.name.front() != ':' && !is_dropped(field, has_authority)) {
      pairs.push_back(pair(field.name, field.value));
    }
  }
  return pairs;
}

uint32_t code_of(ResetReason reason, bool server, bool answered) {
  switch (reason) {
    case ResetReason::LocalRefused:
      return NGHTTP2_REFUSED_STREAM;
    case ResetReason::ProtocolError:
      return NGHTTP2_PROTOCOL_ERROR;
    case ResetReason::Overflow:
      return NGHTTP2_ENHANCE_YOUR_CALM;
    default:
      break;
  }
  if (!server) return NGHTTP2_CANCEL;
  return answered ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR;
}

}  // namespace

void Stream::send_head(const HeaderMap& headers, bool end_stream, bool informational) {
  if (session_ == nullptr || local_ended_) return;
  HeaderMap changed;
  const HeaderMap* head = &headers;
  const bool to_connect = !is_server() && headers.has(HeaderId::Upgrade) &&
                          headers.has(HeaderId::Connection) && headers.method() == "GET";
  if (to_connect || (extended_connect_ && headers.status() == 101)) {
    changed = headers.clone();
    if (to_connect) {  // RFC 8441
      extended_connect_ = true;
      changed.set(HeaderId::Method, "CONNECT");
      changed.set(HeaderId::PseudoProtocol, *headers.get(HeaderId::Upgrade));
    } else {
      changed.set(HeaderId::Status, "200");
    }
    changed.remove(HeaderId::ContentLength);
    head = &changed;
  }
  nghttp2_session* h2 = session_->handle();
  std::vector<nghttp2_nv>& pairs = to_pairs(*head);
  const uint8_t flags = end_stream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE;
  const int32_t id =
      nghttp2_submit_headers(h2, flags, id_, nullptr, pairs.data(), pairs.size(), this);
  if (id_ == -1 && id > 0) id_ = id;
  if (is_server()) head_sent_ = true;
  if (!informational && end_stream) local_ended_ = true;
  session_->pump();
}

void Stream::send_data(std::string_view data, bool end_stream) {
  if (session_ == nullptr || local_ended_) return;
  pending_.append(data);
  local_ended_ = end_stream;
  if (provider_) {
    nghttp2_session_resume_data(session_->handle(), id_);
  } else if (head_sent_) {
    start_data();
  }
  session_->pump();
  if (session_ != nullptr && !above_watermark_ && pending_.size() > kStreamWriteWatermark) {
    above_watermark_ = true;
    if (callbacks_ != nullptr) callbacks_->on_above_write_watermark();
  }
}

// nghttp2 takes data only for a stream whose head is sent, or about to be (server side).
void Stream::start_data() {
  nghttp2_data_provider source{};
  source.source.ptr = this;
  source.read_callback = [](nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
                            nghttp2_data_source* from, void*) -> ssize_t {
    auto& stream = *static_cast<Stream*>(from->ptr);
    const size_t ready = std::min(length, stream.pending_.size());
    const bool all = ready == stream.pending_.size() && stream.local_ended_;
    if (ready == 0 && !all) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (all) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (std::exchange(stream.has_trailers_, false)) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        stream.submit_trailers(stream.trailers_);
      }
    }
    return static_cast<ssize_t>(ready);
  };
  provider_ = true;
  nghttp2_submit_data(session_->handle(), NGHTTP2_FLAG_END_STREAM, id_, &source);
}

void Stream::submit_trailers(const HeaderMap& trailers) {
  std::vector<nghttp2_nv>& pairs = to_pairs(trailers);
  nghttp2_submit_trailer(session_->handle(), id_, pairs.data(), pairs.size());
}

void Stream::send_trailers(const HeaderMap& trailers) {
  if (session_ == nullptr || local_ended_) return;
  if (trailers.empty()) return send_data({}, true);
  if (!provider_ && head_sent_ && pending_.empty()) {
    local_ended_ = true;
    submit_trailers(trailers);
    return session_->pump();
  }
  trailers_ = trailers.clone();
  has_trailers_ = true;
  send_data({}, true);
}

void Stream::reset_by_us(ResetReason reason) {
  if (session_ == nullptr || abandoned_) return;
  Session& session = *session_;
  callbacks_ = nullptr;
  if (is_server() && reason == ResetReason::LocalReset && local_ended_ && !local_sent_) {
    // The answer is given but not all sent: the request is given up after it.
    reset_when_sent_ = true;
    abandoned_ = true;
    tell_closed();
  } else {
    ++session.session_stats().tx_reset;
    if (id_ > 0) {
      session.submit_reset(id_, code_of(reason, is_server(), local_sent_));
      nghttp2_session_set_stream_user_data(session.handle(), id_, nullptr);
    }
    tell_closed();
    session.remove(*this);
  }
  session.pump();
}

void Stream::disable_reading(bool disable) {
  if (session_ == nullptr) return;
  if (disable) {
    ++read_disables_;
    return;
  }
  if (read_disables_ == 0 || --read_disables_ > 0 || unconsumed_ == 0) return;
  nghttp2_session_consume(session_->handle(), id_, std::exchange(unconsumed_, 0));
  session_->pump();
}

}  // namespace sennit::http::http2

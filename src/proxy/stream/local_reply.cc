#include "proxy/stream/local_reply.h"

#include <fmt/format.h>

namespace sennit::proxy {

using http::HeaderId;

Result<LocalReplyFormat> make_local_reply_format(std::string_view text,
                                                 std::string_view content_type) {
  static constexpr std::string_view kBody = "%LOCAL_REPLY_BODY%";
  LocalReplyFormat format;
  format.content_type = content_type.empty() ? "text/plain" : content_type;
  for (;;) {
    const size_t at = text.find(kBody);
    auto piece = Formatter::create(text.substr(0, at));
    if (!piece) return std::unexpected(piece.error());
    format.pieces.push_back(std::move(*piece));
    if (at == std::string_view::npos) return format;
    text.remove_prefix(at + kBody.size());
  }
}

int grpc_status_of_http(int http_status) {
  switch (http_status) {
    case 400:
      return 13;  // INTERNAL
    case 401:
      return 16;  // UNAUTHENTICATED
    case 403:
      return 7;  // PERMISSION_DENIED
    case 404:
      return 12;  // UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;  // UNAVAILABLE
    default:
      return 2;  // UNKNOWN
  }
}

std::string encode_grpc_message(std::string_view message) {
  std::string out;
  out.reserve(message.size());
  for (const char c : message) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

namespace {

void format_body(const LocalReplyFormat& format, const StreamInfo& info,
                 const http::HeaderMap& request, const http::HeaderMap& headers,
                 std::string_view original, std::string& body) {
  for (size_t i = 0; i < format.pieces.size(); ++i) {
    if (i > 0) body.append(original);
    format.pieces[i]->format(body, info, &request, &headers, nullptr);
  }
}

}  // namespace

void finish_local_reply(const LocalReply& reply, const LocalReplyFormat& format,
                        const StreamInfo& info, const http::HeaderMap& request,
                        http::HeaderMap& headers, std::string& body) {
  headers.set(HeaderId::Status, fmt::format_int(reply.status).c_str());
  if (!reply.location.empty()) headers.set(HeaderId::Location, reply.location);
  if (reply.overloaded) headers.set(HeaderId::XEnvoyOverloaded, "true");
  headers.remove(HeaderId::ContentLength);
  body.clear();
  if (format.active()) {
    format_body(format, info, request, headers, reply.body, body);
  } else {
    body.assign(reply.body);
  }
  if (info.is_grpc) {
    headers.set(HeaderId::Status, "200");
    headers.set(HeaderId::ContentType, "application/grpc");
    if (!headers.has(HeaderId::GrpcStatus)) {
      headers.set(
          HeaderId::GrpcStatus,
          fmt::format_int(reply.grpc_status.value_or(grpc_status_of_http(reply.status))).c_str());
    }
    if (!body.empty()) headers.set(HeaderId::GrpcMessage, encode_grpc_message(body));
    body.clear();
    return;
  }
  if (body.empty()) {
    headers.remove(HeaderId::ContentType);
    return;
  }
  headers.set(HeaderId::ContentLength, fmt::format_int(body.size()).c_str());
  if (format.active()) {
    headers.set(HeaderId::ContentType, format.content_type);
  } else if (!headers.has(HeaderId::ContentType)) {
    headers.set(HeaderId::ContentType, "text/plain");
  }
}

}  // namespace sennit::proxy

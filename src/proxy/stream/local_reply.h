// Responses that the proxy makes itself (Envoy: "local replies"): how one looks, and
// local_reply_config's body format.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/header_map.h"
#include "proxy/stream/response_flags.h"
#include "proxy/stream/stream_info.h"
#include "proxy/telemetry/access_log.h"

namespace sennit::proxy {

struct LocalReply {
  int status = 500;
  std::string_view body = {};
  std::string_view details = {};
  ResponseFlags flags = {};
  std::string_view location = {};       // redirects
  std::optional<int> grpc_status = {};  // instead of the one that follows from `status`
  bool overloaded = false;              // adds x-envoy-overloaded: true
};

// local_reply_config.body_format. Without one, bodies go out as they are, as text/plain.
struct LocalReplyFormat {
  // The format split at %LOCAL_REPLY_BODY%: piece, body, piece, ... ; empty: no format.
  std::vector<std::shared_ptr<const Formatter>> pieces;
  std::string content_type;
  bool active() const { return !pieces.empty(); }
};

// The format's text split at %LOCAL_REPLY_BODY% and compiled.
Result<LocalReplyFormat> make_local_reply_format(std::string_view text,
                                                 std::string_view content_type);

// https://grpc.github.io/grpc/core/md_doc_http-grpc-status-mapping.html, with Envoy's choices.
int grpc_status_of_http(int http_status);

// Percent-encodes what grpc-message may not hold (gRPC over HTTP/2, "Percent-Encoded").
std::string encode_grpc_message(std::string_view message);

// Completes `headers` (which already hold what routes and callers add) with status, framing and,
// for gRPC, the trailers-only form. The body to send, empty for gRPC, goes to `body`.
void finish_local_reply(const LocalReply& reply, const LocalReplyFormat& format,
                        const StreamInfo& info, const http::HeaderMap& request,
                        http::HeaderMap& headers, std::string& body);

}  // namespace sennit::proxy

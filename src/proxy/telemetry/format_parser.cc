// Formats to pieces: finds the %...% operators, their arguments and lengths.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "proxy/match/string_matcher.h"
#include "proxy/telemetry/format_operators.h"
#include "proxy/telemetry/start_time.h"

namespace sennit::proxy {
namespace {

using Name = std::pair<std::string_view, FormatOp>;
constexpr auto kOperators = std::to_array<Name>({
    {"PROTOCOL", FormatOp::Protocol},
    {"UPSTREAM_PROTOCOL", FormatOp::UpstreamProtocol},
    {"RESPONSE_CODE", FormatOp::ResponseCode},
    {"RESPONSE_FLAGS", FormatOp::ResponseFlags},
    {"RESPONSE_FLAGS_LONG", FormatOp::ResponseFlagsLong},
    {"RESPONSE_CODE_DETAILS", FormatOp::ResponseCodeDetails},
    {"CONNECTION_TERMINATION_DETAILS", FormatOp::ConnectionTerminationDetails},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", FormatOp::UpstreamTransportFailureReason},
    {"BYTES_RECEIVED", FormatOp::BytesReceived},
    {"BYTES_SENT", FormatOp::BytesSent},
    {"DURATION", FormatOp::Duration},
    {"REQUEST_DURATION", FormatOp::RequestDuration},
    {"REQUEST_TX_DURATION", FormatOp::RequestTxDuration},
    {"RESPONSE_DURATION", FormatOp::ResponseDuration},
    {"RESPONSE_TX_DURATION", FormatOp::ResponseTxDuration},
    {"UPSTREAM_HOST", FormatOp::UpstreamHost},
    {"UPSTREAM_REMOTE_ADDRESS", FormatOp::UpstreamHost},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", FormatOp::UpstreamHostWithoutPort},
    {"UPSTREAM_CLUSTER", FormatOp::UpstreamCluster},
    {"UPSTREAM_CLUSTER_RAW", FormatOp::UpstreamClusterRaw},
    {"UPSTREAM_LOCAL_ADDRESS", FormatOp::UpstreamLocalAddress},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", FormatOp::UpstreamLocalAddressWithoutPort},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", FormatOp::UpstreamRequestAttemptCount},
    {"DOWNSTREAM_LOCAL_ADDRESS", FormatOp::DownstreamLocalAddress},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", FormatOp::DownstreamLocalAddressWithoutPort},
    {"DOWNSTREAM_LOCAL_PORT", FormatOp::DownstreamLocalPort},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS", FormatOp::DownstreamDirectLocalAddress},
    {"DOWNSTREAM_REMOTE_ADDRESS", FormatOp::DownstreamRemoteAddress},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", FormatOp::DownstreamRemoteAddressWithoutPort},
    {"DOWNSTREAM_REMOTE_PORT", FormatOp::DownstreamRemotePort},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", FormatOp::DownstreamDirectRemoteAddress},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
     FormatOp::DownstreamDirectRemoteAddressWithoutPort},
    {"DOWNSTREAM_PEER_URI_SAN", FormatOp::DownstreamPeerUriSan},
    {"DOWNSTREAM_PEER_DNS_SAN", FormatOp::DownstreamPeerDnsSan},
    {"DOWNSTREAM_PEER_SUBJECT", FormatOp::DownstreamPeerSubject},
    {"DOWNSTREAM_PEER_ISSUER", FormatOp::DownstreamPeerIssuer},
    {"DOWNSTREAM_PEER_SERIAL", FormatOp::DownstreamPeerSerial},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", FormatOp::DownstreamPeerFingerprint256},
    {"DOWNSTREAM_PEER_CERT", FormatOp::DownstreamPeerCert},
    {"DOWNSTREAM_LOCAL_URI_SAN", FormatOp::DownstreamLocalUriSan},
    {"DOWNSTREAM_LOCAL_DNS_SAN", FormatOp::DownstreamLocalDnsSan},
    {"DOWNSTREAM_LOCAL_SUBJECT", FormatOp::DownstreamLocalSubject},
    {"DOWNSTREAM_TLS_VERSION", FormatOp::DownstreamTlsVersion},
    {"DOWNSTREAM_TLS_CIPHER", FormatOp::DownstreamTlsCipher},
    {"REQUESTED_SERVER_NAME", FormatOp::RequestedServerName},
    {"ROUTE_NAME", FormatOp::RouteName},
    {"HOSTNAME", FormatOp::Hostname},
    {"GRPC_STATUS", FormatOp::GrpcStatus},
    {"GRPC_STATUS_NUMBER", FormatOp::GrpcStatusNumber},
    {"UPSTREAM_PEER_URI_SAN", FormatOp::UpstreamPeerUriSan},
    {"UPSTREAM_LOCAL_URI_SAN", FormatOp::UpstreamLocalUriSan},
    {"CONNECTION_ID", FormatOp::ConnectionId},
});

struct Operator {
  std::string_view name, argument;
  bool has_argument = false;
  size_t max_length = SIZE_MAX;
  size_t length = 0;  // of the whole, both % included
};

// `text` begins at the opening %.
Result<Operator> scan_operator(std::string_view text) {
  Operator found;
  size_t at = 1;
  while (at < text.size() &&
         (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_'))
    ++at;
  found.name = text.substr(1, at - 1);
  if (at < text.size() && text[at] == '(') {
    const size_t close = text.find(')', at);
    if (close == std::string_view::npos) return fail("\"{}\": a ) is missing", text);
    found.argument = text.substr(at + 1, close - at - 1);
    found.has_argument = true;
    at = close + 1;
  }
  if (at < text.size() && text[at] == ':') {
    const char* begin = text.data() + at + 1;
    auto [end, error] = std::from_chars(begin, text.data() + text.size(), found.max_length);
    if (error != std::errc()) return fail("\"{}\": the length is not a number", text);
    at = static_cast<size_t>(end - text.data());
  }
  if (at >= text.size() || text[at] != '%' || found.name.empty()) {
    return fail("\"{}\": not an %OPERATOR% (a percent sign is written %%)", text);
  }
  found.length = at + 1;
  return found;
}

void set_header(FormatPiece& piece, std::string_view argument) {
  const size_t mark = argument.find('?');
  piece.header_name = to_lower(argument.substr(0, mark));
  piece.header = http::header_id(piece.header_name);
  if (mark == std::string_view::npos) return;
  piece.alternative_name = to_lower(argument.substr(mark + 1));
  piece.alternative = http::header_id(piece.alternative_name);
}

Result<FormatPiece> make_piece(const Operator& found) {
  FormatPiece piece;
  piece.max_length = found.max_length;
  if (found.name == "REQ" || found.name == "RESP" || found.name == "TRAILER") {
    if (found.argument.empty()) return fail("%{}%: needs a header name", found.name);
    piece.op = found.name == "REQ"    ? FormatOp::Req
               : found.name == "RESP" ? FormatOp::Resp
                                      : FormatOp::Trailer;
    set_header(piece, found.argument);
    return piece;
  }
  if (found.name == "START_TIME") {
    piece.op = FormatOp::StartTime;
    piece.text = found.argument.empty() ? kDefaultStartTime : found.argument;
    auto ok = check_start_time(piece.text);
    if (!ok) return std::unexpected(ok.error().within("%START_TIME%"));
    return piece;
  }
  const auto* known = std::ranges::find(kOperators, found.name, &Name::first);
  if (known == kOperators.end()) return fail("%{}%: is not supported", found.name);
  piece.op = known->second;
  if (piece.op == FormatOp::GrpcStatus && found.argument == "NUMBER") {
    piece.op = FormatOp::GrpcStatusNumber;
  } else if (!found.argument.empty() &&
             !(piece.op == FormatOp::GrpcStatus && found.argument == "CAMEL_STRING")) {
    return fail("%{}({})%: the argument is not supported", found.name, found.argument);
  }
  return piece;
}

void add_literal(std::vector<FormatPiece>& pieces, std::string_view text) {
  if (text.empty()) return;
  if (pieces.empty() || pieces.back().op != FormatOp::Literal) pieces.emplace_back();
  pieces.back().text += text;
}

}  // namespace

Result<std::vector<FormatPiece>> parse_format(std::string_view format) {
  std::vector<FormatPiece> pieces;
  while (!format.empty()) {
    const size_t percent = format.find('%');
    add_literal(pieces, format.substr(0, percent));
    if (percent == std::string_view::npos) break;
    format.remove_prefix(percent);
    if (format.starts_with("%%")) {
      add_literal(pieces, "%");
      format.remove_prefix(2);
      continue;
    }
    auto found = scan_operator(format);
    if (!found) return std::unexpected(found.error());
    auto piece = make_piece(*found);
    if (!piece) return std::unexpected(piece.error());
    pieces.push_back(*std::move(piece));
    format.remove_prefix(found->length);
  }
  return pieces;
}

}  // namespace sennit::proxy

#include "proxy/telemetry/format_operators.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <charconv>

#include "proxy/stream/response_flags.h"
#include "proxy/telemetry/grpc_status_text.h"
#include "proxy/telemetry/start_time.h"
#include "proxy/upstream/cluster_info.h"
#include "proxy/upstream/host.h"

namespace sennit::proxy {

std::string_view grpc_status_text(int status) {
  static constexpr std::string_view kNames[] = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  if (status < 0 || status >= static_cast<int>(std::size(kNames))) return {};
  return kNames[status];
}

void append_number(std::string& out, uint64_t number) {
  char text[20];
  auto [end, error] = std::to_chars(text, text + sizeof(text), number);
  out.append(text, static_cast<size_t>(end - text));
}

void append_address(std::string& out, const net::Address& address, bool with_port) {
  if (address.family() != AF_INET) {
    out += with_port ? address.to_string() : address.ip_string();
    return;
  }
  const auto& in = reinterpret_cast<const sockaddr_in&>(*address.sockaddr_ptr());
  const uint32_t ip = ntohl(in.sin_addr.s_addr);
  for (int shift = 24; shift >= 0; shift -= 8) {
    append_number(out, (ip >> shift) & 0xff);
    if (shift > 0) out += '.';
  }
  if (!with_port) return;
  out += ':';
  append_number(out, ntohs(in.sin_port));
}

namespace {

bool append_text(std::string& out, std::string_view text) {
  out += text;
  return !text.empty();
}

bool append_valid_address(std::string& out, const net::Address& address, bool with_port) {
  if (!address.valid()) return false;
  append_address(out, address, with_port);
  return true;
}

bool append_port(std::string& out, const net::Address& address) {
  if (!address.is_ip()) return false;
  append_number(out, address.port());
  return true;
}

bool append_joined(std::string& out, const std::vector<std::string>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    out += values[i];
  }
  return !values.empty();
}

bool append_millis(std::string& out, std::chrono::nanoseconds duration) {
  append_number(out, static_cast<uint64_t>(duration.count()) / 1'000'000);
  return true;
}

bool append_since_start(std::string& out, std::chrono::nanoseconds at) {
  return at.count() > 0 && append_millis(out, at);
}

std::optional<std::string_view> find_header(const http::HeaderMap& headers, http::HeaderId id,
                                            const std::string& name) {
  if (name.empty()) return std::nullopt;
  return id != http::HeaderId::None ? headers.get(id) : headers.get(name);
}

bool append_header(const FormatPiece& piece, const http::HeaderMap* headers, std::string& out) {
  if (headers == nullptr) return false;
  auto value = find_header(*headers, piece.header, piece.header_name);
  if (!value) value = find_header(*headers, piece.alternative, piece.alternative_name);
  if (!value) return false;
  out += value->substr(0, piece.max_length);
  return true;
}

bool append_flags(std::string& out, const ResponseFlags& flags, bool long_names) {
  if (!flags.any()) return false;
  bool first = true;
  for (uint8_t i = 0; i < static_cast<uint8_t>(ResponseFlag::Count); ++i) {
    const auto flag = static_cast<ResponseFlag>(i);
    if (!flags.has(flag)) continue;
    if (!first) out += ',';
    first = false;
    const auto& text = response_flag_text(flag);
    out += long_names ? text.name : text.code;
  }
  return true;
}

bool append_hostname(std::string& out) {
  static const std::string hostname = [] {
    char name[256] = {};
    return std::string(gethostname(name, sizeof(name) - 1) == 0 ? name : "");
  }();
  return append_text(out, hostname);
}

bool append_grpc_status(std::string& out, const StreamInfo& info, bool number) {
  if (!info.grpc_status) return false;
  const auto text = number ? std::string_view() : grpc_status_text(*info.grpc_status);
  if (!text.empty()) return append_text(out, text);
  out += std::to_string(*info.grpc_status);
  return true;
}

// The operators that look at the downstream TLS session. `tls` may be nullptr.
bool append_downstream_tls(FormatOp op, const net::TlsInfo* tls, std::string& out) {
  if (tls == nullptr) return false;
  switch (op) {
    case FormatOp::DownstreamPeerUriSan:
      return append_joined(out, tls->peer_uri_sans);
    case FormatOp::DownstreamPeerDnsSan:
      return append_joined(out, tls->peer_dns_sans);
    case FormatOp::DownstreamPeerSubject:
      return append_text(out, tls->peer_subject);
    case FormatOp::DownstreamPeerIssuer:
      return append_text(out, tls->peer_issuer);
    case FormatOp::DownstreamPeerSerial:
      return append_text(out, tls->peer_serial);
    case FormatOp::DownstreamPeerFingerprint256:
      return append_text(out, tls->peer_certificate_sha256);
    case FormatOp::DownstreamPeerCert:
      return append_text(out, tls->peer_certificate_pem);
    case FormatOp::DownstreamLocalUriSan:
      return append_joined(out, tls->local_uri_sans);
    case FormatOp::DownstreamLocalDnsSan:
      return append_joined(out, tls->local_dns_sans);
    case FormatOp::DownstreamLocalSubject:
      return append_text(out, tls->local_subject);
    case FormatOp::DownstreamTlsVersion:
      return append_text(out, tls->version);
    case FormatOp::DownstreamTlsCipher:
      return append_text(out, tls->cipher);
    default:
      return false;
  }
}

bool append_downstream(FormatOp op, const DownstreamInfo* downstream, std::string& out) {
  if (downstream == nullptr) return false;
  switch (op) {
    case FormatOp::DownstreamLocalAddress:
      return append_valid_address(out, downstream->local_address, true);
    case FormatOp::DownstreamLocalAddressWithoutPort:
      return append_valid_address(out, downstream->local_address, false);
    case FormatOp::DownstreamLocalPort:
      return append_port(out, downstream->local_address);
    case FormatOp::DownstreamDirectLocalAddress:
      return append_valid_address(out, downstream->direct_local_address, true);
    case FormatOp::DownstreamRemoteAddress:
      return append_valid_address(out, downstream->remote_address, true);
    case FormatOp::DownstreamRemoteAddressWithoutPort:
      return append_valid_address(out, downstream->remote_address, false);
    case FormatOp::DownstreamRemotePort:
      return append_port(out, downstream->remote_address);
    case FormatOp::DownstreamDirectRemoteAddress:
      return append_valid_address(out, downstream->direct_remote_address, true);
    case FormatOp::DownstreamDirectRemoteAddressWithoutPort:
      return append_valid_address(out, downstream->direct_remote_address, false);
    case FormatOp::RequestedServerName:
      return append_text(out, downstream->requested_server_name);
    case FormatOp::ConnectionId:
      append_number(out, downstream->connection_id);
      return true;
    default:
      return append_downstream_tls(op, downstream->tls, out);
  }
}

bool append_upstream(FormatOp op, const StreamInfo& info, std::string& out) {
  const UpstreamInfo& upstream = info.upstream;
  switch (op) {
    case FormatOp::UpstreamProtocol:
      return upstream.protocol && append_text(out, http::protocol_name(*upstream.protocol));
    case FormatOp::UpstreamTransportFailureReason:
      return append_text(out, upstream.transport_failure_reason);
    case FormatOp::UpstreamHost:
      return upstream.host && append_valid_address(out, upstream.host->address, true);
    case FormatOp::UpstreamHostWithoutPort:
      return upstream.host && append_valid_address(out, upstream.host->address, false);
    case FormatOp::UpstreamCluster:
      return info.cluster && append_text(out, info.cluster->stat_name);
    case FormatOp::UpstreamClusterRaw:
      return info.cluster && append_text(out, info.cluster->name);
    case FormatOp::UpstreamLocalAddress:
      return append_valid_address(out, upstream.local_address, true);
    case FormatOp::UpstreamLocalAddressWithoutPort:
      return append_valid_address(out, upstream.local_address, false);
    case FormatOp::UpstreamRequestAttemptCount:
      append_number(out, upstream.attempts);
      return true;
    case FormatOp::UpstreamPeerUriSan:
      return append_text(out, upstream.peer_principal);
    case FormatOp::UpstreamLocalUriSan:
      return append_text(out, upstream.local_principal);
    default:
      return append_downstream(op, info.downstream, out);
  }
}

bool append_response_tx(std::string& out, const StreamInfo& info) {
  const auto first = info.first_upstream_byte_received;
  return first.count() > 0 && append_millis(out, (info.end - info.start) - first);
}

}  // namespace

bool is_numeric(FormatOp op) {
  switch (op) {
    case FormatOp::ResponseCode:
    case FormatOp::BytesReceived:
    case FormatOp::BytesSent:
    case FormatOp::Duration:
    case FormatOp::RequestDuration:
    case FormatOp::RequestTxDuration:
    case FormatOp::ResponseDuration:
    case FormatOp::ResponseTxDuration:
    case FormatOp::UpstreamRequestAttemptCount:
    case FormatOp::ConnectionId:
    case FormatOp::GrpcStatusNumber:
    case FormatOp::DownstreamLocalPort:
    case FormatOp::DownstreamRemotePort:
      return true;
    default:
      return false;
  }
}

bool append_value(const FormatPiece& piece, const FormatInput& input, std::string& out) {
  const StreamInfo& info = input.info;
  switch (piece.op) {
    case FormatOp::Literal:
      out += piece.text;
      return true;
    case FormatOp::StartTime:
      append_start_time(out, piece.text, info.start_time);
      return true;
    case FormatOp::Req:
      return append_header(piece, input.request, out);
    case FormatOp::Resp:
      return append_header(piece, input.response, out);
    case FormatOp::Trailer:
      return append_header(piece, input.trailers, out);
    case FormatOp::Protocol:
      return info.protocol && append_text(out, http::protocol_name(*info.protocol));
    case FormatOp::ResponseCode:
      append_number(out, static_cast<uint64_t>(info.response_code));
      return true;
    case FormatOp::ResponseFlags:
      return append_flags(out, info.flags, false);
    case FormatOp::ResponseFlagsLong:
      return append_flags(out, info.flags, true);
    case FormatOp::ResponseCodeDetails:
      return append_text(out, info.response_code_details);
    case FormatOp::ConnectionTerminationDetails:
      return append_text(out, info.connection_termination_details);
    case FormatOp::BytesReceived:
      append_number(out, info.bytes_received);
      return true;
    case FormatOp::BytesSent:
      append_number(out, info.bytes_sent);
      return true;
    case FormatOp::Duration:
      return append_millis(out, info.end - info.start);
    case FormatOp::RequestDuration:
      return append_since_start(out, info.last_downstream_byte_received);
    case FormatOp::RequestTxDuration:
      return append_since_start(out, info.last_upstream_byte_sent);
    case FormatOp::ResponseDuration:
      return append_since_start(out, info.first_upstream_byte_received);
    case FormatOp::ResponseTxDuration:
      return append_response_tx(out, info);
    case FormatOp::RouteName:
      return append_text(out, info.route_name);
    case FormatOp::Hostname:
      return append_hostname(out);
    case FormatOp::GrpcStatus:
      return append_grpc_status(out, info, false);
    case FormatOp::GrpcStatusNumber:
      return append_grpc_status(out, info, true);
    default:
      return append_upstream(piece.op, info, out);
  }
}

}  // namespace sennit::proxy

// The %OPERATORS% of access log formats, parsed once. An operator appends what it knows of a
// request to a string; it knows nothing of the text around it. Evaluation does not allocate beyond
// the growth of the output string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

// What an operator may look at. Any of the header maps may be nullptr.
struct FormatInput {
  const StreamInfo& info;
  const http::HeaderMap* request = nullptr;
  const http::HeaderMap* response = nullptr;
  const http::HeaderMap* trailers = nullptr;
};

enum class FormatOp : uint8_t {
  Literal,
  StartTime,
  Req,
  Resp,
  Trailer,
  Protocol,
  UpstreamProtocol,
  ResponseCode,
  ResponseFlags,
  ResponseFlagsLong,
  ResponseCodeDetails,
  ConnectionTerminationDetails,
  UpstreamTransportFailureReason,
  BytesReceived,
  BytesSent,
  Duration,
  RequestDuration,
  ResponseDuration,
  ResponseTxDuration,
  RequestTxDuration,
  UpstreamHost,
  UpstreamHostWithoutPort,
  UpstreamCluster,
  UpstreamClusterRaw,
  UpstreamLocalAddress,
  UpstreamLocalAddressWithoutPort,
  UpstreamRequestAttemptCount,
  DownstreamLocalAddress,
  DownstreamLocalAddressWithoutPort,
  DownstreamLocalPort,
  DownstreamDirectLocalAddress,
  DownstreamRemoteAddress,
  DownstreamRemoteAddressWithoutPort,
  DownstreamRemotePort,
  DownstreamDirectRemoteAddress,
  DownstreamDirectRemoteAddressWithoutPort,
  DownstreamPeerUriSan,
  DownstreamPeerDnsSan,
  DownstreamPeerSubject,
  DownstreamPeerIssuer,
  DownstreamPeerSerial,
  DownstreamPeerFingerprint256,
  DownstreamPeerCert,
  DownstreamLocalUriSan,
  DownstreamLocalDnsSan,
  DownstreamLocalSubject,
  DownstreamTlsVersion,
  DownstreamTlsCipher,
  RequestedServerName,
  RouteName,
  Hostname,
  GrpcStatus,
  GrpcStatusNumber,
  UpstreamPeerUriSan,
  UpstreamLocalUriSan,
  ConnectionId,
};

struct FormatPiece {
  FormatOp op = FormatOp::Literal;
  std::string text;  // Literal; the strftime pattern of StartTime
  http::HeaderId header = http::HeaderId::None;
  std::string header_name;
  http::HeaderId alternative = http::HeaderId::None;  // REQ(A?B): B where A is absent
  std::string alternative_name;
  size_t max_length = SIZE_MAX;  // of a header's value
};

Result<std::vector<FormatPiece>> parse_format(std::string_view format);

// Appends the value; false (and nothing appended) where it is not known.
bool append_value(const FormatPiece& piece, const FormatInput& input, std::string& out);
// Numbers stay numbers in JSON: true for operators whose value is one.
bool is_numeric(FormatOp op);

void append_number(std::string& out, uint64_t number);
// As Address::to_string, without its allocation for IPv4.
void append_address(std::string& out, const net::Address& address, bool with_port);

}  // namespace sennit::proxy

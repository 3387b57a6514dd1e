// Everything that is known of one request (or of one TCP connection) when it ends: what access
// logs print and metrics label. Filled in by the stream, the router and the filters as they learn
// it; read once at completion. Lives as long as its stream, on the worker's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/codec.h"
#include "net/address.h"
#include "net/connection.h"
#include "proxy/stream/response_flags.h"

namespace sennit::proxy {

class Route;          // proxy/route/route_table.h
class ClusterInfo;    // proxy/upstream/cluster_info.h
class Host;           // proxy/upstream/host.h
struct PeerMetadata;  // proxy/telemetry/peer_metadata.h

// The downstream connection, as filters and logs see it. One per connection, outlives its streams.
struct DownstreamInfo {
  net::Address local_address;         // where the client meant to go (original destination)
  net::Address direct_local_address;  // where it was accepted
  net::Address remote_address;        // the client, after XFF / PROXY protocol rules
  net::Address direct_remote_address;
  std::string requested_server_name;  // SNI by the TLS inspector, also for passthrough
  const net::TlsInfo* tls = nullptr;  // nullptr: plaintext
  uint64_t connection_id = 0;
  // Filled by istio.metadata_exchange for TCP; HTTP streams have their own.
  std::shared_ptr<const PeerMetadata> peer;
};

struct UpstreamInfo {
  std::shared_ptr<const Host> host;
  net::Address local_address;
  std::string transport_failure_reason;
  const net::TlsInfo* tls = nullptr;  // valid while the upstream stream is open; then cleared
  bool was_tls = false;               // stays
  std::string peer_principal;         // SPIFFE ID of the server, stays
  std::string local_principal;
  std::optional<http::Protocol> protocol;
  uint32_t attempts = 0;
  std::shared_ptr<const PeerMetadata> peer;
};

struct StreamInfo {
  std::chrono::system_clock::time_point start_time;
  net::TimePoint start;
  net::TimePoint end;
  // Since `start`; zero: has not happened.
  std::chrono::nanoseconds first_upstream_byte_sent{};
  std::chrono::nanoseconds last_upstream_byte_sent{};
  std::chrono::nanoseconds first_upstream_byte_received{};
  std::chrono::nanoseconds last_upstream_byte_received{};
  std::chrono::nanoseconds last_downstream_byte_received{};

  std::optional<http::Protocol> protocol;  // none: TCP
  int response_code = 0;                   // 0: none was sent
  std::string response_code_details;       // "via_upstream", "route_not_found", ...
  std::string connection_termination_details;
  ResponseFlags flags;
  uint64_t bytes_received = 0;  // bodies
  uint64_t bytes_sent = 0;

  const DownstreamInfo* downstream = nullptr;
  UpstreamInfo upstream;
  std::shared_ptr<const ClusterInfo> cluster;  // the one routed to
  std::string route_name;
  std::shared_ptr<const PeerMetadata> downstream_peer;  // who called, by metadata exchange
  std::optional<int> grpc_status;
  bool is_grpc = false;
  // Set by istio.alpn before the router: ALPN offered upstream instead of the transport socket's
  // list. Points into the filter's configuration, which outlives the stream.
  std::span<const std::string> alpn_override;
};

}  // namespace sennit::proxy

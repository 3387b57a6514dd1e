// envoy.filters.network.tcp_proxy: carries bytes both ways between a downstream connection and one
// of its own to an endpoint of a cluster, with half-close, backpressure, idle timeout,
// access logs, Istio's TCP metrics and its metadata exchange with the upstream peer.
// TcpProxyConfig is compiled once on the main thread; serve_tcp makes one instance per connection.
#pragma once

#include <envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "proxy/stats/stats.h"
#include "proxy/stream/http_connection_manager.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/istio_stats.h"

namespace sennit::proxy {

struct TcpProxyStats {
  stats::CounterId cx_total, cx_no_route, cx_rx_bytes, cx_tx_bytes, idle_timeout,
      max_duration_reached;
  stats::GaugeId cx_active;
};

struct TcpProxyConfig {
  struct Destination {
    std::string cluster;
    uint64_t weight;
    std::vector<std::pair<std::string, std::string>> metadata_match;
  };
  std::string stat_prefix;
  std::vector<Destination> destinations;
  uint64_t total_weight = 0;
  bool hash_source_ip = false;
  uint32_t max_connect_attempts = 1;
  std::chrono::milliseconds idle_timeout{};  // zero: none
  std::chrono::milliseconds max_duration{};  // zero: none
  std::vector<std::shared_ptr<const AccessLog>> access_logs;
  std::vector<std::shared_ptr<const IstioStats>> istio_stats;
  // Sent first on upstream connections that negotiated metadata exchange (the cluster says which
  // ALPN means it).
  std::string announcement;
  TcpProxyStats stats;

  // Errors name the field by its path.
  static Result<std::shared_ptr<TcpProxyConfig>> create(
      const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& config,
      stats::Registry& registry);
};

// Takes over `connection`, whose handshake is done. As serve_http otherwise.
std::unique_ptr<ServedConnection> serve_tcp(std::shared_ptr<const TcpProxyConfig> config,
                                            std::unique_ptr<net::Connection> connection,
                                            std::shared_ptr<DownstreamInfo> downstream,
                                            WorkerContext& worker, std::function<void()> on_done);

}  // namespace sennit::proxy

// Upstream, as the request path sees it. The main thread owns ClusterManager and applies CDS and
// EDS to it; each worker has a WorkerClusters, its own view with its own balancers, connection
// pools and counters, updated by tasks posted to the worker's loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/codec.h"
#include "net/connection.h"
#include "proxy/stats/stats.h"
#include "proxy/stream/stream_info.h"
#include "proxy/upstream/cluster_info.h"
#include "proxy/upstream/host.h"

namespace sennit::proxy {

// What a balancer may look at when it picks.
struct PickContext {
  const http::HeaderMap* headers = nullptr;  // nullptr for TCP
  const DownstreamInfo* downstream = nullptr;
  std::optional<uint64_t> hash;  // from the route's hash policy
  // Subset selection: the route's metadata_match under "envoy.lb", sorted by key.
  std::span<const std::pair<std::string, std::string>> metadata_match;
  // Retries: hosts tried before (previous_hosts predicate); the balancer redraws up to
  // `host_selection_retries` times to avoid them.
  std::span<const HostPtr> attempted;
  uint32_t host_selection_retries = 1;
  uint32_t attempt = 0;
  uint64_t random = 0;  // fresh 64 random bits
};

enum class PoolFailure : uint8_t {
  Overflow,        // a circuit breaker is open: UO
  ConnectFailure,  // UF
  ConnectTimeout,  // UF, counted as a timeout
};

// The router's side of asking for an upstream stream. Exactly one of the two comes, possibly from
// inside new_stream.
class StreamRequestCallbacks {
 public:
  // `encoder` is ready; responses go to the decoder given. `connection` is the upstream one: its
  // addresses and TLS facts may be read now.
  virtual void on_pool_ready(http::RequestEncoder& encoder, http::Protocol protocol,
                             const net::Connection& connection, bool reused) = 0;
  virtual void on_pool_failure(PoolFailure reason, std::string_view transport_failure_reason) = 0;

 protected:
  ~StreamRequestCallbacks() = default;
};

// A waiting request for a stream; destroying it cancels.
class PendingStream {
 public:
  virtual ~PendingStream() = default;
};

// What else a stream's connection depends on.
struct StreamOptions {
  http::Protocol downstream = http::Protocol::Http11;
  std::span<const std::string> alpn_override;
  uint32_t priority = 0;       // the route's: whose circuit breaker thresholds count; 1 is high
  std::string_view authority;  // the request's, for clusters with auto_sni; may hold a port
};

// What a finished attempt tells outlier detection and the counters. A reset, by either side, that
// is not an overflow of ours is LocalReset; a 5xx other than 502, 503, 504 is Error5xx.
enum class HostResult : uint8_t {
  Success,
  Error5xx,
  GatewayError /* 502, 503, 504 */,
  LocalConnectFailure,
  LocalTimeout,
  LocalReset,
};

// One cluster on one worker.
class WorkerCluster {
 public:
  virtual ~WorkerCluster() = default;
  virtual const std::shared_ptr<const ClusterInfo>& info() const = 0;

  // nullptr: no host may be used (UH).
  virtual HostPtr pick(const PickContext& context) = 0;

  // A stream on a pooled connection to `host`. `downstream` decides the protocol where the cluster
  // uses the downstream's (use_downstream_protocol_config), and the ALPN with istio.alpn.
  // `alpn_override`: offered instead of the transport socket's list when not empty.
  virtual std::unique_ptr<PendingStream> new_stream(const HostPtr& host, http::Protocol downstream,
                                                    std::span<const std::string> alpn_override,
                                                    http::ResponseDecoder& decoder,
                                                    StreamRequestCallbacks& callbacks) = 0;
  // The same with everything that a stream may ask for.
  virtual std::unique_ptr<PendingStream> new_stream_with(const HostPtr& host,
                                                         const StreamOptions& options,
                                                         http::ResponseDecoder& decoder,
                                                         StreamRequestCallbacks& callbacks) {
    return new_stream(host, options.downstream, options.alpn_override, decoder, callbacks);
  }
  // An attempt at `host` is over (also one whose pool failed: LocalConnectFailure); `result` feeds
  // outlier detection. Counted here: rq_completed, rq_Nxx and rq_time where response_code is not 0.
  // Counted by the pools: rq_total, rq_active, rq_pending_*, rq_cancelled, cx_*, none_healthy.
  // Left to the router: rq_timeout, rq_per_try_timeout, rq_retry*, rq_rx_reset, rq_tx_reset.
  virtual void report(const HostPtr& host, HostResult result, int response_code,
                      std::chrono::milliseconds response_time) = 0;

  // A connection of its own (TCP proxy). nullptr: the connection breaker is open. Each that is
  // given out keeps this object alive, even when its cluster is removed, until one of the
  // on_tcp_connection_closed below is called for it.
  virtual std::unique_ptr<net::Connection> connect(const HostPtr& host,
                                                   std::span<const std::string> alpn_override) = 0;
  virtual void on_tcp_connection_closed(const HostPtr& host) = 0;
  // The same, and counts what became of it: failures and timeouts to connect (`connected` is false:
  // its Connected event never came), bytes, and which side closed it.
  virtual void on_tcp_connection_closed(const HostPtr& host, const net::Connection&,
                                        bool /*connected*/, net::ConnectionEvent) {
    on_tcp_connection_closed(host);
  }

  // Retry budget / max_retries: true and counted, or false (URX by overflow).
  virtual bool try_acquire_retry() = 0;
  virtual void release_retry() = 0;
};

class WorkerClusters {
 public:
  virtual ~WorkerClusters() = default;
  // nullptr: unknown (NC). Valid until the end of the current batch of events.
  virtual WorkerCluster* find(std::string_view name) = 0;
  virtual net::EventLoop& loop() = 0;
  virtual stats::Shard& stats() = 0;
};

}  // namespace sennit::proxy

// Connections of one worker to one host for HTTP: those with the same protocol, priority, ALPN and
// server name. A request takes the connection used last that has room (HTTP/1: an idle one; HTTP/2:
// one below the peer's stream limit); else it waits in a queue while a new connection is made, as
// far as the circuit breakers allow. Semantics are Envoy's. Worker thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/upstream/breakers.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {

class PooledConnection;
class ConnectionPool;

struct PoolKey {
  ClusterInfo::HttpVersion version;  // Http1, Http2 or Auto
  uint32_t priority = 0;
  std::vector<std::string> alpn_override;
  std::string server_name;
  bool matches(ClusterInfo::HttpVersion version, const StreamOptions& options,
               std::string_view server_name) const;
};

struct PoolContext {
  net::EventLoop& loop;
  stats::Shard& shard;
  std::shared_ptr<const ClusterConfig> config;
  std::shared_ptr<ClusterBreakers> breakers;
};

class ConnectionPool final : public net::DeferredDeletable, private net::Flushable {
 public:
  ConnectionPool(PoolContext context, HostPtr host, PoolKey key);
  ~ConnectionPool() override;

  const PoolKey& key() const { return key_; }
  std::unique_ptr<PendingStream> new_stream(http::ResponseDecoder& decoder,
                                            StreamRequestCallbacks& callbacks);
  // No new connections but for requests that wait; idle ones close, busy ones when they finish.
  void drain();
  // Nothing is open or waiting: a drained pool may go.
  bool empty() const { return connections_.empty() && first_waiting_ == nullptr; }
  // Called (once a batch) when a drained pool has become empty.
  void on_empty(std::function<void()> callback) { on_empty_ = std::move(callback); }

 private:
  friend class PooledConnection;
  struct Waiting;

  bool connect();  // false: not allowed, or impossible
  bool attach(PooledConnection& connection, http::ResponseDecoder& decoder,
              StreamRequestCallbacks& callbacks);
  void serve_waiting();
  void connect_for_waiting();
  void fail_waiting(PoolFailure reason, std::string_view detail);
  void on_connected(PooledConnection& connection);
  void on_stream_done(PooledConnection& connection);
  void on_closed(PooledConnection& connection, net::ConnectionEvent event);
  void set_ready(PooledConnection& connection, bool ready);
  void on_flush() override;
  void link(Waiting& waiting);
  void unlink(Waiting& waiting);

  stats::Shard& shard() { return context_.shard; }
  const ClusterInfo& info() const { return *context_.config->info; }
  const ClusterStats& stats() const { return info().stats; }
  Breaker breaker(BreakerCount PriorityBreakers::*count, uint32_t CircuitBreakers::*limit,
                  const stats::GaugeId (ClusterStats::*open)[2]);
  Breaker connection_breaker();
  Breaker pending_breaker();
  Breaker request_breaker();

  PoolContext context_;
  HostPtr host_;
  PoolKey key_;
  std::vector<std::unique_ptr<PooledConnection>> connections_;
  std::vector<PooledConnection*> ready_;  // the last was used last
  Waiting* first_waiting_ = nullptr;
  Waiting* last_waiting_ = nullptr;
  size_t waiting_count_ = 0;
  size_t connecting_ = 0;
  bool multiplexes_;  // HTTP/2 is sure, or was seen
  bool draining_ = false;
  std::string connect_failure_;  // why `connect` was impossible
  std::function<void()> on_empty_;
};

}  // namespace sennit::proxy

// One worker's view of the clusters: WorkerClusters as the main thread feeds it. Everything here
// runs on the worker's thread; the main thread reaches it by tasks posted to the worker's loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/upstream/balancer.h"
#include "proxy/upstream/breakers.h"
#include "proxy/upstream/cluster_manager.h"
#include "proxy/upstream/connection_pool.h"

namespace sennit::proxy {

enum class OutlierEvent : uint8_t { Consecutive5xx, ConsecutiveGateway, ConsecutiveLocalOrigin };

// A cluster as it is from now on. Immutable; one for all workers.
struct ClusterUpdate {
  std::shared_ptr<const ClusterConfig> config;
  std::shared_ptr<const LbState> lb;
  std::shared_ptr<ClusterBreakers> breakers;
  std::vector<HostPtr> removed;  // hosts whose connections drain
  // Any thread: a host crossed a consecutive-errors threshold.
  std::shared_ptr<const std::function<void(const HostPtr&, OutlierEvent)>> outlier_event;
};

class WorkerClusterImpl final : public WorkerCluster {
 public:
  WorkerClusterImpl(net::EventLoop& loop, stats::Shard& shard, uint64_t seed)
      : loop_(loop), shard_(shard), balancer_(seed) {}
  ~WorkerClusterImpl() override;
  void apply(std::shared_ptr<const ClusterUpdate> update);
  // All pools drain: the cluster is going. True when nothing is left.
  void drain();
  bool idle() const { return hosts_.empty() && draining_.empty() && tcp_connections_ == 0; }
  void on_idle(std::function<void()> callback) { on_idle_ = std::move(callback); }

  const std::shared_ptr<const ClusterInfo>& info() const override { return update_->config->info; }
  HostPtr pick(const PickContext& context) override;
  std::unique_ptr<PendingStream> new_stream(const HostPtr& host, http::Protocol downstream,
                                            std::span<const std::string> alpn_override,
                                            http::ResponseDecoder& decoder,
                                            StreamRequestCallbacks& callbacks) override;
  std::unique_ptr<PendingStream> new_stream_with(const HostPtr& host, const StreamOptions& options,
                                                 http::ResponseDecoder& decoder,
                                                 StreamRequestCallbacks& callbacks) override;
  void report(const HostPtr& host, HostResult result, int response_code,
              std::chrono::milliseconds response_time) override;
  std::unique_ptr<net::Connection> connect(const HostPtr& host,
                                           std::span<const std::string> alpn_override) override;
  void on_tcp_connection_closed(const HostPtr& host) override;
  void on_tcp_connection_closed(const HostPtr& host, const net::Connection& connection,
                                bool connected, net::ConnectionEvent event) override;
  bool try_acquire_retry() override;
  void release_retry() override;

 private:
  struct HostState {
    HostPtr host;
    std::vector<std::unique_ptr<ConnectionPool>> pools;  // few: protocols x priorities x names
  };

  struct Destination {
    HostPtr host;
    bool used;  // since the last cleanup
  };

  ConnectionPool& pool_for(const HostPtr& host, const StreamOptions& options);
  HostPtr original_destination(const PickContext& context);
  net::Address destination_of(const PickContext& context) const;
  void forget_unused_destinations();
  void tell_if_idle();
  void drain_host(HostState& state);
  void remove_drained();
  void count_code(int response_code);
  Breaker breaker(BreakerCount PriorityBreakers::*count, uint32_t limit, stats::GaugeId open);
  uint32_t retry_limit() const;

  net::EventLoop& loop_;
  stats::Shard& shard_;
  std::shared_ptr<const ClusterUpdate> update_;
  Balancer balancer_;
  std::unordered_map<const Host*, HostState> hosts_;
  std::vector<std::unique_ptr<ConnectionPool>> draining_;
  std::unordered_map<net::Address, Destination> destinations_;  // original destination
  std::unique_ptr<net::Timer> cleanup_timer_;                   // of destinations_
  size_t tcp_connections_ = 0;
  std::function<void()> on_idle_;
};

class WorkerClustersImpl final : public WorkerClusters {
 public:
  WorkerClustersImpl(net::EventLoop& loop, stats::Shard& shard) : loop_(loop), shard_(shard) {}
  WorkerCluster* find(std::string_view name) override;
  net::EventLoop& loop() override { return loop_; }
  stats::Shard& stats() override { return shard_; }

  void apply(const std::string& name, std::shared_ptr<const ClusterUpdate> update);
  void remove(const std::string& name);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  net::EventLoop& loop_;
  stats::Shard& shard_;
  uint64_t clusters_made_ = 0;
  std::unordered_map<std::string, std::unique_ptr<WorkerClusterImpl>, Hash, std::equal_to<>>
      clusters_;
  std::vector<std::unique_ptr<WorkerClusterImpl>> removed_;  // until their streams are over
};

}  // namespace sennit::proxy

#include "proxy/upstream/worker_cluster.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

#include "proxy/upstream/outlier_report.h"

namespace sennit::proxy {
namespace {

// Destinations that an original-destination cluster remembers; where all are busy, more are
// refused.
constexpr size_t kMaxOriginalDestinations = 4096;

// Gives a pool or cluster to the loop for deletion after the batch.
struct DeferredCluster final : net::DeferredDeletable {
  explicit DeferredCluster(std::unique_ptr<WorkerClusterImpl> c) : cluster(std::move(c)) {}
  std::unique_ptr<WorkerClusterImpl> cluster;
};

std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    return end == std::string_view::npos ? authority : authority.substr(1, end - 1);
  }
  return authority.substr(0, authority.find(':'));
}

}  // namespace

WorkerClusterImpl::~WorkerClusterImpl() = default;

void WorkerClusterImpl::apply(std::shared_ptr<const ClusterUpdate> update) {
  const bool same_config = update_ && update_->config == update->config;
  update_ = std::move(update);
  balancer_.update(update_->lb, update_->config->lb);
  if (!same_config) {
    for (auto& [key, state] : hosts_) drain_host(state);
    hosts_.clear();
    destinations_.clear();
  }
  for (const HostPtr& host : update_->removed) {
    auto found = hosts_.find(host.get());
    if (found == hosts_.end()) continue;
    drain_host(found->second);
    hosts_.erase(found);
  }
}

void WorkerClusterImpl::drain_host(HostState& state) {
  for (auto& pool : state.pools) {
    pool->on_empty([this] { remove_drained(); });
    pool->drain();
    draining_.push_back(std::move(pool));
  }
}

void WorkerClusterImpl::remove_drained() {
  for (auto& pool : draining_) {
    if (pool->empty()) loop_.defer_delete(std::move(pool));
  }
  std::erase(draining_, nullptr);
  tell_if_idle();
}

void WorkerClusterImpl::tell_if_idle() {
  if (idle() && on_idle_) std::exchange(on_idle_, nullptr)();
}

void WorkerClusterImpl::drain() {
  for (auto& [key, state] : hosts_) drain_host(state);
  hosts_.clear();
}

HostPtr WorkerClusterImpl::pick(const PickContext& context) {
  if (info()->is_original_dst) return original_destination(context);
  const Balancer::Pick picked = balancer_.pick(context);
  const ClusterStats& stats = info()->stats;
  if (picked.panic) shard_.inc(stats.lb_healthy_panic);
  if (picked.subset) shard_.inc(stats.lb_subsets_selected);
  if (picked.subset_fallback) shard_.inc(stats.lb_subsets_fallback);
  if (!picked.host) shard_.inc(stats.none_healthy);
  return picked.host;
}

net::Address WorkerClusterImpl::destination_of(const PickContext& context) const {
  const OriginalDstConfig& config = update_->config->original_dst;
  net::Address address;
  if (config.use_http_header && context.headers) {
    if (auto text = context.headers->get(config.http_header)) {
      if (auto parsed = net::Address::parse(*text)) address = *parsed;
    }
  } else if (context.downstream) {
    address = context.downstream->local_address;
  }
  if (config.port_override != 0 && address.is_ip()) {
    address = address.with_port(static_cast<uint16_t>(config.port_override));
  }
  return address;
}

HostPtr WorkerClusterImpl::original_destination(const PickContext& context) {
  const net::Address address = destination_of(context);
  if (!address.is_ip() || address.is_any() || address.port() == 0) {
    shard_.inc(info()->stats.none_healthy);
    return nullptr;
  }
  auto found = destinations_.find(address);
  if (found != destinations_.end()) {
    found->second.used = true;
    return found->second.host;
  }
  if (destinations_.size() >= kMaxOriginalDestinations) forget_unused_destinations();
  if (destinations_.size() >= kMaxOriginalDestinations) {
    shard_.inc(info()->stats.none_healthy);  // all of them are busy
    return nullptr;
  }
  auto host = std::make_shared<Host>();
  host->address = address;
  host->hostname = address.to_string();
  host->transport_socket_index = update_->config->transport_for({});
  destinations_.emplace(address, Destination{host, true});
  if (!cleanup_timer_) {
    cleanup_timer_ = std::make_unique<net::Timer>(loop_, [this] { forget_unused_destinations(); });
  }
  if (!cleanup_timer_->enabled()) {
    cleanup_timer_->enable(update_->config->original_dst.cleanup_interval);
  }
  return host;
}

void WorkerClusterImpl::forget_unused_destinations() {
  for (auto entry = destinations_.begin(); entry != destinations_.end();) {
    const HostPtr& host = entry->second.host;
    const bool busy = host->numbers.cx_active.load(std::memory_order_relaxed) != 0 ||
                      host->active_requests.load(std::memory_order_relaxed) != 0;
    if (std::exchange(entry->second.used, false) || busy) {
      ++entry;
      continue;
    }
    if (auto state = hosts_.find(host.get()); state != hosts_.end()) {
      drain_host(state->second);
      hosts_.erase(state);
    }
    entry = destinations_.erase(entry);
  }
  if (!destinations_.empty()) {
    cleanup_timer_->enable(update_->config->original_dst.cleanup_interval);
  }
}

ConnectionPool& WorkerClusterImpl::pool_for(const HostPtr& host, const StreamOptions& options) {
  ClusterInfo::HttpVersion version = info()->http_version;
  if (version == ClusterInfo::HttpVersion::Downstream) {
    version = options.downstream == http::Protocol::Http2 ? ClusterInfo::HttpVersion::Http2
                                                          : ClusterInfo::HttpVersion::Http1;
  }
  const std::string_view server_name =
      update_->config->auto_sni ? without_port(options.authority) : std::string_view();
  HostState& state = hosts_[host.get()];
  for (auto& pool : state.pools) {
    if (pool->key().matches(version, options, server_name)) return *pool;
  }
  state.host = host;
  PoolKey key{version,
              options.priority,
              {options.alpn_override.begin(), options.alpn_override.end()},
              std::string(server_name)};
  state.pools.push_back(std::make_unique<ConnectionPool>(
      PoolContext{loop_, shard_, update_->config, update_->breakers}, host, std::move(key)));
  return *state.pools.back();
}

std::unique_ptr<PendingStream> WorkerClusterImpl::new_stream(
    const HostPtr& host, http::Protocol downstream, std::span<const std::string> alpn_override,
    http::ResponseDecoder& decoder, StreamRequestCallbacks& callbacks) {
  return new_stream_with(host, {.downstream = downstream, .alpn_override = alpn_override}, decoder,
                         callbacks);
}

std::unique_ptr<PendingStream> WorkerClusterImpl::new_stream_with(
    const HostPtr& host, const StreamOptions& options, http::ResponseDecoder& decoder,
    StreamRequestCallbacks& callbacks) {
  return pool_for(host, options).new_stream(decoder, callbacks);
}

void WorkerClusterImpl::count_code(int response_code) {
  const ClusterStats& stats = info()->stats;
  shard_.inc(stats.rq_completed);
  switch (response_code / 100) {
    case 2:
      shard_.inc(stats.rq_2xx);
      break;
    case 3:
      shard_.inc(stats.rq_3xx);
      break;
    case 4:
      shard_.inc(stats.rq_4xx);
      break;
    case 5:
      shard_.inc(stats.rq_5xx);
      break;
    default:
      break;
  }
}

void WorkerClusterImpl::report(const HostPtr& host, HostResult result, int response_code,
                               std::chrono::milliseconds response_time) {
  if (response_code != 0) {
    count_code(response_code);
    shard_.record(info()->stats.rq_time, static_cast<uint64_t>(response_time.count()));
  }
  if (!host) return;
  if (result == HostResult::Success) {
    host->numbers.rq_success.fetch_add(1, std::memory_order_relaxed);
  } else {
    host->numbers.rq_error.fetch_add(1, std::memory_order_relaxed);
  }
  if (!update_->config->outlier) return;
  count_outlier(*update_->config->outlier, *host, result,
                [&](OutlierEvent event) { (*update_->outlier_event)(host, event); });
}

Breaker WorkerClusterImpl::breaker(BreakerCount PriorityBreakers::*count, uint32_t limit,
                                   stats::GaugeId open) {
  return {update_->breakers->priorities[0].*count, limit, open, shard_};
}

std::unique_ptr<net::Connection> WorkerClusterImpl::connect(
    const HostPtr& host, std::span<const std::string> alpn_override) {
  const ClusterStats& stats = info()->stats;
  Breaker limit = breaker(&PriorityBreakers::connections, info()->breakers[0].max_connections,
                          stats.cx_open[0]);
  if (!limit.acquire()) {
    shard_.inc(stats.cx_overflow);
    return nullptr;
  }
  TransportSocketParams params;
  params.alpn_override = alpn_override;
  const auto& factory = *update_->config->transports[host->transport_socket_index].factory;
  auto transport = factory.create(params);
  if (!transport) {
    limit.release();
    shard_.inc(stats.cx_connect_fail);
    return nullptr;
  }
  ++tcp_connections_;
  shard_.inc(stats.cx_total);
  shard_.add(stats.cx_active, 1);
  host->numbers.cx_total.fetch_add(1, std::memory_order_relaxed);
  host->numbers.cx_active.fetch_add(1, std::memory_order_relaxed);
  host->active_requests.fetch_add(1, std::memory_order_relaxed);
  auto connection = net::Connection::connect(loop_, host->address, update_->config->connect,
                                             std::move(transport));
  connection->set_write_watermark(info()->per_connection_buffer_limit);
  return connection;
}

void WorkerClusterImpl::on_tcp_connection_closed(const HostPtr& host) {
  const ClusterStats& stats = info()->stats;
  shard_.inc(stats.cx_destroy);
  shard_.add(stats.cx_active, -1);
  host->numbers.cx_active.fetch_sub(1, std::memory_order_relaxed);
  host->active_requests.fetch_sub(1, std::memory_order_relaxed);
  breaker(&PriorityBreakers::connections, info()->breakers[0].max_connections, stats.cx_open[0])
      .release();
  --tcp_connections_;
  tell_if_idle();
}

void WorkerClusterImpl::on_tcp_connection_closed(const HostPtr& host,
                                                 const net::Connection& connection, bool connected,
                                                 net::ConnectionEvent event) {
  const ClusterStats& stats = info()->stats;
  shard_.inc(event == net::ConnectionEvent::LocalClose ? stats.cx_destroy_local
                                                       : stats.cx_destroy_remote);
  shard_.inc(stats.cx_rx_bytes_total, connection.bytes_read());
  shard_.inc(stats.cx_tx_bytes_total, connection.bytes_written());
  if (!connected && event != net::ConnectionEvent::LocalClose) {
    shard_.inc(stats.cx_connect_fail);
    host->numbers.cx_connect_fail.fetch_add(1, std::memory_order_relaxed);
    if (connection.connect_timed_out()) shard_.inc(stats.cx_connect_timeout);
  }
  on_tcp_connection_closed(host);
}

uint32_t WorkerClusterImpl::retry_limit() const {
  const auto& budget = update_->config->retry_budgets[0];
  if (!budget) return info()->breakers[0].max_retries;
  const auto& counts = update_->breakers->priorities[0];
  const double active = static_cast<double>(counts.requests.value()) + counts.pending.value();
  return std::max(budget->min_concurrency, static_cast<uint32_t>(active * budget->percent / 100));
}

bool WorkerClusterImpl::try_acquire_retry() {
  return breaker(&PriorityBreakers::retries, retry_limit(), info()->stats.rq_retry_open[0])
      .acquire();
}

void WorkerClusterImpl::release_retry() {
  breaker(&PriorityBreakers::retries, retry_limit(), info()->stats.rq_retry_open[0]).release();
}

WorkerCluster* WorkerClustersImpl::find(std::string_view name) {
  auto found = clusters_.find(name);
  return found == clusters_.end() ? nullptr : found->second.get();
}

void WorkerClustersImpl::apply(const std::string& name,
                               std::shared_ptr<const ClusterUpdate> update) {
  std::unique_ptr<WorkerClusterImpl>& cluster = clusters_[name];
  if (!cluster) {
    static thread_local std::random_device device;
    const uint64_t seed = (uint64_t{device()} << 32 | device()) + ++clusters_made_;
    cluster = std::make_unique<WorkerClusterImpl>(loop_, shard_, seed);
  }
  cluster->apply(std::move(update));
}

void WorkerClustersImpl::remove(const std::string& name) {
  auto found = clusters_.find(name);
  if (found == clusters_.end()) return;
  std::unique_ptr<WorkerClusterImpl> cluster = std::move(found->second);
  clusters_.erase(found);
  WorkerClusterImpl* going = cluster.get();
  going->drain();
  if (going->idle()) {
    loop_.defer_delete(std::make_unique<DeferredCluster>(std::move(cluster)));
    return;
  }
  removed_.push_back(std::move(cluster));
  going->on_idle([this, going] {
    auto entry = std::find_if(removed_.begin(), removed_.end(),
                              [&](const auto& c) { return c.get() == going; });
    loop_.defer_delete(std::make_unique<DeferredCluster>(std::move(*entry)));
    removed_.erase(entry);
  });
}

}  // namespace sennit::proxy

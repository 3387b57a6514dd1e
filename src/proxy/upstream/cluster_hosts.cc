// Hosts of a managed cluster: identity, health, and how workers learn of changes.
#include <algorithm>

#include "proxy/upstream/cluster_manager_impl.h"

namespace sennit::proxy {

ManagedCluster::ManagedCluster(std::shared_ptr<const ClusterConfig> c, EdsIndex& index)
    : config(std::move(c)), eds_index(index), breakers(std::make_shared<ClusterBreakers>()) {
  if (config->discovery == ClusterConfig::Discovery::Eds) eds_index[config->eds_name].insert(this);
}

ManagedCluster::~ManagedCluster() {
  if (config->discovery != ClusterConfig::Discovery::Eds) return;
  auto found = eds_index.find(config->eds_name);
  found->second.erase(this);
  if (found->second.empty()) eds_index.erase(found);
}

void ClusterManager::Impl::post_worker(Worker& worker, const std::string& name,
                                       std::shared_ptr<const ClusterUpdate> update) {
  worker.loop.post([clusters = worker.clusters.get(), name, update = std::move(update)] {
    clusters->apply(name, update);
  });
}

void ClusterManager::Impl::publish(ManagedCluster& cluster, std::vector<HostPtr> removed) {
  auto update = std::make_shared<ClusterUpdate>();
  update->config = cluster.config;
  update->lb = build_lb_state(cluster.hosts, cluster.config->lb);
  update->breakers = cluster.breakers;
  update->removed = std::move(removed);
  update->outlier_event = cluster.outlier_event;
  cluster.sent = update;
  if (cluster.merge_timer) cluster.merge_timer->disable();
  cluster.last_published = context.main_loop.now();
  set_membership(cluster, cluster.hosts.hosts);
  for (auto& worker : workers) post_worker(*worker, cluster.name(), update);
}

void ClusterManager::Impl::publish_health(ManagedCluster& cluster) {
  if (cluster.merge_timer && cluster.merge_timer->enabled()) return;
  const auto window = cluster.config->update_merge_window;
  const auto since = std::chrono::duration_cast<net::Milliseconds>(context.main_loop.now() -
                                                                   cluster.last_published);
  if (since >= window) return publish(cluster, {});
  if (!cluster.merge_timer) {
    cluster.merge_timer = std::make_unique<net::Timer>(
        context.main_loop, [this, raw = &cluster] { publish(*raw, {}); });
  }
  cluster.merge_timer->enable(window - since);
}

void ClusterManager::Impl::set_membership(ManagedCluster& cluster,
                                          const std::vector<HostPtr>& hosts) {
  int64_t healthy = 0, degraded = 0;
  uint32_t max_weight = 0;
  for (const HostPtr& host : hosts) {
    max_weight = std::max(max_weight, host->weight.load());
    if (host->degraded()) {
      ++degraded;
    } else if (host->healthy()) {
      ++healthy;
    }
  }
  const ClusterStats& stats = cluster.stats();
  stats::Shard& shard = context.main_shard;
  const auto total = static_cast<int64_t>(hosts.size());
  shard.add(stats.membership_total, total - std::exchange(cluster.total, total));
  shard.add(stats.membership_healthy, healthy - std::exchange(cluster.healthy, healthy));
  shard.add(stats.membership_degraded, degraded - std::exchange(cluster.degraded, degraded));
  shard.set(stats.max_host_weight, max_weight);
}

void ClusterManager::Impl::set_hosts(const ClusterPtr& cluster, HostSet next) {
  auto current = active.find(cluster->name());
  const bool is_active = current != active.end() && current->second == cluster;
  std::vector<HostPtr> before;
  if (current != active.end()) before = current->second->hosts.hosts;
  std::vector<HostPtr> removed = keep_identity(before, next.hosts);
  const bool same_members = is_active && removed.empty() && before.size() == next.hosts.size();
  cluster->hosts = std::move(next);
  if (!is_active) activate(cluster);
  if (cluster->outlier) cluster->outlier->set_hosts(cluster->hosts.hosts);
  if (same_members) return publish_health(*cluster);
  context.main_shard.inc(cluster->stats().membership_change);
  publish(*cluster, std::move(removed));
}

void ClusterManager::Impl::activate(const ClusterPtr& cluster) {
  const std::string& name = cluster->name();
  if (auto old = active.find(name); old != active.end()) {
    set_membership(*old->second, {});
    cluster->breakers = old->second->breakers;
  }
  auto waiting = warming.find(name);
  const bool was_warming = waiting != warming.end();
  if (was_warming) warming.erase(waiting);
  cluster->warm = true;
  if (cluster->fetch_timeout) cluster->fetch_timeout->disable();
  active[name] = cluster;
  start_outlier(cluster);
  if (was_warming && warmed) {
    context.main_loop.post([this, name, weak = std::weak_ptr(alive)] {
      if (!weak.expired() && warmed) warmed(name);
    });
  }
}

void ClusterManager::Impl::start_outlier(const ClusterPtr& cluster) {
  if (!cluster->config->outlier) return;
  ManagedCluster* raw = cluster.get();
  cluster->outlier = std::make_unique<OutlierDetector>(
      *cluster->config->outlier, cluster->stats(), context.main_shard, [this] { return random(); },
      [this, raw] { publish_health(*raw); });
  cluster->outlier_event =
      std::make_shared<const std::function<void(const HostPtr&, OutlierEvent)>>(
          [weak = std::weak_ptr(cluster), &loop = context.main_loop](const HostPtr& host,
                                                                     OutlierEvent event) {
            loop.post([weak, host, event, &loop] {
              auto locked = weak.lock();
              if (locked && locked->outlier)
                locked->outlier->on_consecutive(host, event, loop.now());
            });
          });
  cluster->outlier_timer = std::make_unique<net::Timer>(context.main_loop, [this, raw] {
    raw->outlier_timer->enable(raw->config->outlier->interval);
    raw->outlier->on_interval(context.main_loop.now());
  });
  cluster->outlier_timer->enable(cluster->config->outlier->interval);
}

}  // namespace sennit::proxy

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "base/log.h"
#include "net/dns.h"
#include "proxy/upstream/cluster_manager_main.h"
#include "proxy/upstream/host_build.h"
#include "proxy/upstream/outlier_detector.h"
#include "proxy/upstream/supported_fields.h"
#include "proxy/upstream/worker_cluster.h"

namespace sennit::proxy {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
namespace endpoint_v3 = envoy::config::endpoint::v3;
using SystemTime = std::chrono::system_clock::time_point;
using Discovery = ClusterConfig::Discovery;

struct MainCluster {
  std::shared_ptr<const ClusterConfig> config;
  std::string bytes, version;
  SystemTime last_updated;
  bool is_static = false;
  bool warm = false;
  HostSet hosts;
  Endpoints endpoints;  // as configured, for DNS types
  std::map<std::string, std::vector<net::Address>> resolved;
  std::map<std::string, std::unique_ptr<net::DnsQuery>> queries;
  std::map<std::string, std::unique_ptr<net::Timer>> refresh;
  std::unique_ptr<net::Timer> fetch_timeout, outlier_timer;
  std::unique_ptr<OutlierDetector> outlier;
  std::shared_ptr<ClusterBreakers> breakers;
  std::shared_ptr<const std::function<void(const HostPtr&, OutlierEvent)>> outlier_event;
  std::shared_ptr<const ClusterUpdate> sent;
  int64_t total = 0, healthy = 0, degraded = 0;  // as the gauges have them
};
using ClusterPtr = std::shared_ptr<MainCluster>;

struct Assignment {
  endpoint_v3::ClusterLoadAssignment message;
  std::string version;
  SystemTime last_updated;
};

net::DnsFamily dns_family(DnsFamily family) {
  switch (family) {
    case DnsFamily::V4Only: return net::DnsFamily::V4Only;
    case DnsFamily::V6Only: return net::DnsFamily::V6Only;
    case DnsFamily::V4Preferred: return net::DnsFamily::V4Preferred;
    default: return net::DnsFamily::All;
  }
}

}  // namespace

struct ClusterManager::Impl {
  struct Worker {
    net::EventLoop& loop;
    std::unique_ptr<WorkerClustersImpl> clusters;
  };

  explicit Impl(ClusterManagerContext c) : context(c), alive(std::make_shared<Impl*>(this)) {}

  ClusterManagerContext context;
  std::shared_ptr<Impl*> alive;  // tasks that come late find it expired
  std::map<std::string, ClusterPtr> active, warming;
  std::map<std::string, Assignment> assignments;
  std::vector<std::unique_ptr<Worker>> workers;
  std::function<void()> eds_changed;
  std::function<void(const std::string&)> warmed;
  std::vector<std::string> known_eds_names;
  bool eds_check_posted = false;
  std::mt19937_64 random{std::random_device{}()};
  std::unique_ptr<net::DnsResolver> dns;

  void post_worker(Worker& worker, const std::string& name,
                   std::shared_ptr<const ClusterUpdate> update) {
    worker.loop.post([clusters = worker.clusters.get(), name, update = std::move(update)] {
      clusters->apply(name, update);
    });
  }

  // Makes the cluster's state of now and sends it to the workers.
  void publish(MainCluster& cluster, std::vector<HostPtr> removed) {
    auto update = std::make_shared<ClusterUpdate>();
    update->config = cluster.config;
    update->lb = build_lb_state(cluster.hosts, cluster.config->lb);
    update->breakers = cluster.breakers;
    update->removed = std::move(removed);
    update->outlier_event = cluster.outlier_event;
    cluster.sent = update;
    set_membership(cluster, cluster.hosts.hosts);
    for (auto& worker : workers) post_worker(*worker, cluster.config->info->name, update);
  }

  void set_membership(MainCluster& cluster, const std::vector<HostPtr>& hosts) {
    int64_t healthy = 0, degraded = 0;
    for (const HostPtr& host : hosts) {
      if (host->degraded()) ++degraded;
      else if (host->healthy()) ++healthy;
    }
    const ClusterStats& stats = cluster.config->info->stats;
    const auto total = static_cast<int64_t>(hosts.size());
    context.main_shard.add(stats.membership_total, total - std::exchange(cluster.total, total));
    context.main_shard.add(stats.membership_healthy,
                           healthy - std::exchange(cluster.healthy, healthy));
    context.main_shard.add(stats.membership_degraded,
                           degraded - std::exchange(cluster.degraded, degraded));
  }

  // New hosts for a cluster, active or warming; makes it warm.
  void set_hosts(const ClusterPtr& cluster, HostSet next) {
    const std::string& name = cluster->config->info->name;
    auto current = active.find(name);
    const bool is_active = current != active.end() && current->second == cluster;
    std::vector<HostPtr> before;
    if (current != active.end()) before = current->second->hosts.hosts;
    std::vector<HostPtr> removed = keep_identity(before, next.hosts);
    cluster->hosts = std::move(next);
    if (!is_active) activate(cluster);
    context.main_shard.inc(cluster->config->info->stats.membership_change);
    if (cluster->outlier) cluster->outlier->set_hosts(cluster->hosts.hosts);
    publish(*cluster, std::move(removed));
  }

  void activate(const ClusterPtr& cluster) {
    const std::string name = cluster->config->info->name;
    if (auto old = active.find(name); old != active.end()) {
      set_membership(*old->second, {});
      cluster->breakers = old->second->breakers;
    }
    const bool was_warming = warming.erase(name) > 0;
    cluster->warm = true;
    cluster->fetch_timeout.reset();
    active[name] = cluster;
    start_outlier(cluster);
    if (was_warming && warmed) {
      context.main_loop.post([this, name, weak = std::weak_ptr(alive)] {
        if (!weak.expired() && warmed) warmed(name);
      });
    }
  }

  void start_outlier(const ClusterPtr& cluster) {
    if (!cluster->config->outlier) return;
    MainCluster* raw = cluster.get();
    std::weak_ptr<MainCluster> weak = cluster;
    cluster->outlier = std::make_unique<OutlierDetector>(
        *cluster->config->outlier, cluster->config->info->stats, context.main_shard,
        [this] { return random(); }, [this, raw] { publish(*raw, {}); });
    cluster->outlier_event =
        std::make_shared<const std::function<void(const HostPtr&, OutlierEvent)>>(
            [weak, &loop = context.main_loop](const HostPtr& host, OutlierEvent event) {
              loop.post([weak, host, event, &loop] {
                auto locked = weak.lock();
                if (locked && locked->outlier) locked->outlier->on_consecutive(host, event, loop.now());
              });
            });
    cluster->outlier_timer = std::make_unique<net::Timer>(context.main_loop, [this, raw] {
      raw->outlier_timer->enable(raw->config->outlier->interval);
      raw->outlier->on_interval(context.main_loop.now());
    });
    cluster->outlier_timer->enable(cluster->config->outlier->interval);
  }

  static HostSet host_set(const Endpoints& endpoints) {
    HostSet set;
    set.locality_weights = endpoints.locality_weights;
    set.overprovisioning_percent = endpoints.overprovisioning_percent;
    std::set<std::string> seen;
    for (const auto& endpoint : endpoints.endpoints) {
      if (!endpoint.host->address.valid()) continue;
      // The same address twice is one host, as in Envoy.
      if (seen.insert(endpoint.host->address.to_string()).second) set.hosts.push_back(endpoint.host);
    }
    return set;
  }

  Status start(const ClusterPtr& cluster, const cluster_v3::Cluster& proto) {
    switch (cluster->config->discovery) {
      case Discovery::OriginalDst: set_hosts(cluster, {}); return {};
      case Discovery::Eds: return start_eds(cluster);
      default: break;
    }
    const bool dns_type = cluster->config->discovery != Discovery::Static;
    auto endpoints = read_assignment(proto.load_assignment(), *cluster->config, dns_type);
    if (!endpoints) return std::unexpected(endpoints.error().within("load_assignment"));
    if (!dns_type) {
      set_hosts(cluster, host_set(*endpoints));
      return {};
    }
    if (cluster->config->discovery == Discovery::LogicalDns && endpoints->endpoints.size() != 1) {
      return fail("load_assignment: LOGICAL_DNS has exactly one endpoint");
    }
    cluster->endpoints = std::move(*endpoints);
    if (std::all_of(cluster->endpoints.endpoints.begin(), cluster->endpoints.endpoints.end(),
                    [](const EndpointTemplate& e) { return e.name.empty(); })) {
      set_hosts(cluster, host_set(cluster->endpoints));
      return {};
    }
    warming[cluster->config->info->name] = cluster;
    for (const auto& endpoint : cluster->endpoints.endpoints) {
      if (!endpoint.name.empty()) resolve(cluster, endpoint.name);
    }
    return {};
  }

  Status start_eds(const ClusterPtr& cluster) {
    auto known = assignments.find(cluster->config->eds_name);
    if (known != assignments.end()) {
      auto endpoints = read_assignment(known->second.message, *cluster->config, false);
      if (!endpoints) return std::unexpected(endpoints.error().within("load assignment"));
      set_hosts(cluster, host_set(*endpoints));
      return {};
    }
    warming[cluster->config->info->name] = cluster;
    if (cluster->config->eds_initial_fetch_timeout.count() > 0) {
      std::weak_ptr<MainCluster> weak = cluster;
      cluster->fetch_timeout = std::make_unique<net::Timer>(context.main_loop, [this, weak] {
        if (auto locked = weak.lock(); locked && !locked->warm) set_hosts(locked, {});
      });
      cluster->fetch_timeout->enable(cluster->config->eds_initial_fetch_timeout);
    }
    return {};
  }

  void resolve(const ClusterPtr& cluster, const std::string& name) {
    if (!dns) dns = std::make_unique<net::DnsResolver>(context.main_loop);
    std::unique_ptr<net::DnsQuery>& query = cluster->queries[name];
    if (query) return;  // two endpoints of one name
    context.main_shard.inc(cluster->config->info->stats.update_attempt);
    query = dns->resolve(name, dns_family(cluster->config->dns.family),
                         [this, weak = std::weak_ptr(cluster), name](auto answer) {
                           if (auto locked = weak.lock()) on_resolved(locked, name, answer);
                         });
  }

  void on_resolved(const ClusterPtr& cluster, const std::string& name,
                   const Result<std::vector<net::DnsAddress>>& answer) {
    const DnsConfig& config = cluster->config->dns;
    const ClusterStats& stats = cluster->config->info->stats;
    net::Milliseconds next = config.refresh_rate;
    cluster->queries[name].reset();
    if (answer) {
      context.main_shard.inc(stats.update_success);
      std::vector<net::Address> addresses;
      for (const auto& entry : *answer) {
        addresses.push_back(entry.ip);
        if (config.respect_ttl && entry.ttl.count() > 0) {
          next = &entry == answer->data() ? net::Milliseconds(entry.ttl)
                                          : std::min<net::Milliseconds>(next, entry.ttl);
        }
      }
      // Auto: IPv6 where there is any, as Envoy.
      if (config.family == DnsFamily::Auto) prefer_ipv6(addresses);
      if (cluster->config->discovery == Discovery::LogicalDns && addresses.size() > 1) {
        addresses.resize(1);
      }
      std::sort(addresses.begin(), addresses.end(), [](const auto& a, const auto& b) {
        return a.to_string() < b.to_string();
      });
      const bool changed = !cluster->resolved.contains(name) || cluster->resolved[name] != addresses;
      cluster->resolved[name] = std::move(addresses);
      if (changed) apply_resolved(cluster);
    } else {
      context.main_shard.inc(stats.update_failure);
      log::warn("upstream", "cluster {}: {}", cluster->config->info->name, answer.error().message);
      if (config.failure_refresh.count() > 0) next = config.failure_refresh;
      // Warm without hosts: a name that does not exist must not hold the others up.
      if (!cluster->warm) apply_resolved(cluster);
    }
    if (config.jitter.count() > 0) {
      next += net::Milliseconds(static_cast<int64_t>(random() % (config.jitter.count() + 1)));
    }
    auto& timer = cluster->refresh[name];
    if (!timer) {
      timer = std::make_unique<net::Timer>(
          context.main_loop, [this, weak = std::weak_ptr(cluster), name] {
            if (auto locked = weak.lock()) resolve(locked, name);
          });
    }
    timer->enable(next);
  }

  static void prefer_ipv6(std::vector<net::Address>& addresses) {
    const bool any = std::any_of(addresses.begin(), addresses.end(),
                                 [](const auto& a) { return a.family() == AF_INET6; });
    if (any) std::erase_if(addresses, [](const auto& a) { return a.family() != AF_INET6; });
  }

  void apply_resolved(const ClusterPtr& cluster) {
    Endpoints concrete;
    concrete.locality_weights = cluster->endpoints.locality_weights;
    concrete.overprovisioning_percent = cluster->endpoints.overprovisioning_percent;
    for (const EndpointTemplate& endpoint : cluster->endpoints.endpoints) {
      if (endpoint.name.empty()) {
        concrete.endpoints.push_back(endpoint);
        continue;
      }
      for (const net::Address& ip : cluster->resolved[endpoint.name]) {
        const Host& from = *endpoint.host;
        EndpointTemplate one{std::make_shared<Host>(), {}, endpoint.port};
        one.host->address = ip.with_port(endpoint.port);
        one.host->hostname = from.hostname;
        one.host->locality = from.locality;
        one.host->weight = from.weight.load();
        one.host->priority = from.priority.load();
        one.host->lb_metadata = from.lb_metadata;
        one.host->transport_socket_metadata = from.transport_socket_metadata;
        one.host->istio_workload = from.istio_workload;
        one.host->transport_socket_index = from.transport_socket_index;
        one.host->health_flags = from.health_flags.load();
        concrete.endpoints.push_back(std::move(one));
      }
    }
    set_hosts(cluster, host_set(concrete));
  }

  std::vector<std::string> eds_names() const {
    std::set<std::string> names;
    for (const auto* clusters : {&active, &warming}) {
      for (const auto& [name, cluster] : *clusters) {
        if (cluster->config->discovery == Discovery::Eds) names.insert(cluster->config->eds_name);
      }
    }
    return {names.begin(), names.end()};
  }

  // Asked for after each change; answered once, at the end of a burst of them.
  void check_eds_names() {
    if (std::exchange(eds_check_posted, true)) return;
    context.main_loop.post([this, weak = std::weak_ptr(alive)] {
      if (weak.expired()) return;
      eds_check_posted = false;
      std::vector<std::string> names = eds_names();
      if (names == known_eds_names) return;
      known_eds_names = std::move(names);
      if (eds_changed) eds_changed();
    });
  }
};

ClusterManager::ClusterManager(ClusterManagerContext context)
    : impl_(std::make_unique<Impl>(context)) {}
ClusterManager::~ClusterManager() = default;

Status ClusterManager::apply(const cluster_v3::Cluster& cluster, const std::string& version,
                             Origin origin) {
  std::string bytes = cluster.SerializeAsString();
  for (auto* clusters : {&impl_->warming, &impl_->active}) {
    auto found = clusters->find(cluster.name());
    if (found == clusters->end()) continue;
    if (found->second->is_static && origin == Origin::Dynamic) return {};  // the bootstrap's wins
    if (found->second->bytes == bytes) {
      found->second->version = version;
      return {};
    }
    break;
  }
  auto config = compile_cluster(cluster, impl_->context.stats, impl_->context.secrets);
  if (!config) {
    return std::unexpected(config.error().within(fmt::format("cluster {}", cluster.name())));
  }
  auto next = std::make_shared<MainCluster>();
  next->config = *config;
  next->bytes = std::move(bytes);
  next->version = version;
  next->last_updated = std::chrono::system_clock::now();
  next->is_static = origin == Origin::Static;
  next->breakers = std::make_shared<ClusterBreakers>();
  if (auto status = impl_->start(next, cluster); !status) {
    return std::unexpected(status.error().within(fmt::format("cluster {}", cluster.name())));
  }
  impl_->check_eds_names();
  return {};
}

bool ClusterManager::remove(const std::string& name) {
  auto found = impl_->active.find(name);
  if (found != impl_->active.end() && found->second->is_static) return false;
  const bool was_warming = impl_->warming.erase(name) > 0;
  if (found != impl_->active.end()) {
    impl_->set_membership(*found->second, {});
    impl_->active.erase(found);
    for (auto& worker : impl_->workers) {
      worker->loop.post([clusters = worker->clusters.get(), name] { clusters->remove(name); });
    }
  } else if (!was_warming) {
    return false;
  }
  impl_->check_eds_names();
  return true;
}

std::vector<std::string> ClusterManager::dynamic_names() const {
  std::set<std::string> names;
  for (const auto* clusters : {&impl_->active, &impl_->warming}) {
    for (const auto& [name, cluster] : *clusters) {
      if (!cluster->is_static) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

bool ClusterManager::has(const std::string& name) const {
  return impl_->active.contains(name) || impl_->warming.contains(name);
}

Status ClusterManager::apply_endpoints(const endpoint_v3::ClusterLoadAssignment& assignment,
                                       const std::string& version) {
  std::vector<std::pair<ClusterPtr, Endpoints>> changes;
  for (auto* clusters : {&impl_->active, &impl_->warming}) {
    for (auto& [name, cluster] : *clusters) {
      if (cluster->config->discovery != Discovery::Eds ||
          cluster->config->eds_name != assignment.cluster_name()) {
        continue;
      }
      auto endpoints = read_assignment(assignment, *cluster->config, false);
      if (!endpoints) {
        return std::unexpected(endpoints.error().within(
            fmt::format("load assignment {}", assignment.cluster_name())));
      }
      changes.emplace_back(cluster, std::move(*endpoints));
    }
  }
  impl_->assignments[assignment.cluster_name()] = {assignment, version,
                                                   std::chrono::system_clock::now()};
  for (auto& [cluster, endpoints] : changes) {
    impl_->context.main_shard.inc(cluster->config->info->stats.update_success);
    impl_->set_hosts(cluster, Impl::host_set(endpoints));
  }
  return {};
}

void ClusterManager::remove_endpoints(const std::string& eds_name) {
  impl_->assignments.erase(eds_name);
}

std::vector<std::string> ClusterManager::eds_names() const { return impl_->eds_names(); }
void ClusterManager::on_eds_names_changed(std::function<void()> changed) {
  impl_->eds_changed = std::move(changed);
}
void ClusterManager::on_warmed(std::function<void(const std::string&)> warmed) {
  impl_->warmed = std::move(warmed);
}

std::vector<std::string> ClusterManager::warming() const {
  std::vector<std::string> names;
  for (const auto& [name, cluster] : impl_->warming) names.push_back(name);
  return names;
}

WorkerClusters& ClusterManager::add_worker(net::EventLoop& loop, stats::Shard& shard) {
  impl_->workers.push_back(std::make_unique<Impl::Worker>(
      Impl::Worker{loop, std::make_unique<WorkerClustersImpl>(loop, shard)}));
  Impl::Worker& worker = *impl_->workers.back();
  for (const auto& [name, cluster] : impl_->active) {
    if (cluster->sent) impl_->post_worker(worker, name, cluster->sent);
  }
  return *worker.clusters;
}

std::vector<ClusterManager::ConfigEntry> ClusterManager::config_entries() const {
  std::vector<ConfigEntry> entries;
  for (const auto* clusters : {&impl_->active, &impl_->warming}) {
    for (const auto& [name, cluster] : *clusters) {
      ConfigEntry& entry = entries.emplace_back();
      entry.cluster.ParseFromString(cluster->bytes);
      entry.version = cluster->version;
      entry.last_updated = cluster->last_updated;
      entry.warming = !cluster->warm;
      entry.is_static = cluster->is_static;
    }
  }
  return entries;
}

std::vector<ClusterManager::EndpointEntry> ClusterManager::endpoint_entries() const {
  std::vector<EndpointEntry> entries;
  for (const auto& [name, known] : impl_->assignments) {
    entries.push_back({known.message, known.version, known.last_updated});
  }
  return entries;
}

std::string ClusterManager::clusters_text() const {
  std::string out;
  auto line = [&](const auto&... parts) { ((out += fmt::format("{}", parts)), ...); out += '\n'; };
  for (const auto& [name, cluster] : impl_->active) {
    line(name, "::observability_name::", cluster->config->info->stat_name);
    for (size_t p = 0; p < 2; ++p) {
      const CircuitBreakers& limits = cluster->config->info->breakers[p];
      const std::string prefix = name + (p == 0 ? "::default_priority::" : "::high_priority::");
      line(prefix, "max_connections::", limits.max_connections);
      line(prefix, "max_pending_requests::", limits.max_pending_requests);
      line(prefix, "max_requests::", limits.max_requests);
      line(prefix, "max_retries::", limits.max_retries);
    }
    line(name, "::added_via_api::", !cluster->is_static);
    for (const HostPtr& host : cluster->hosts.hosts) {
      const std::string prefix = name + "::" + host->address.to_string() + "::";
      const HostNumbers& numbers = host->numbers;
      const uint32_t flags = host->health_flags;
      std::string health;
      if (flags & Host::kFailedActiveCheck) health += "/failed_active_hc";
      if (flags & Host::kEjectedByOutlier) health += "/failed_outlier_check";
      if (flags & (Host::kEdsUnhealthy | Host::kEdsDraining)) health += "/failed_eds_health";
      if (flags & Host::kEdsDegraded) health += "/degraded_eds_health";
      line(prefix, "cx_active::", numbers.cx_active.load());
      line(prefix, "cx_connect_fail::", numbers.cx_connect_fail.load());
      line(prefix, "cx_total::", numbers.cx_total.load());
      line(prefix, "rq_active::", host->active_requests.load());
      line(prefix, "rq_error::", numbers.rq_error.load());
      line(prefix, "rq_success::", numbers.rq_success.load());
      line(prefix, "rq_timeout::", numbers.rq_timeout.load());
      line(prefix, "rq_total::", numbers.rq_total.load());
      line(prefix, "hostname::", host->hostname);
      line(prefix, "health_flags::", health.empty() ? "healthy" : health);
      line(prefix, "weight::", host->weight.load());
      line(prefix, "region::", host->locality.region);
      line(prefix, "zone::", host->locality.zone);
      line(prefix, "sub_zone::", host->locality.sub_zone);
      line(prefix, "priority::", host->priority.load());
    }
  }
  return out;
}

envoy::admin::v3::Clusters ClusterManager::clusters_status() const {
  envoy::admin::v3::Clusters result;
  for (const auto& [name, cluster] : impl_->active) {
    auto* status = result.add_cluster_statuses();
    status->set_name(name);
    status->set_observability_name(cluster->config->info->stat_name);
    status->set_added_via_api(!cluster->is_static);
    if (cluster->config->discovery == Discovery::Eds) {
      status->set_eds_service_name(cluster->config->eds_name);
    }
    for (const HostPtr& host : cluster->hosts.hosts) {
      auto* to = status->add_host_statuses();
      if (host->address.is_ip()) {
        to->mutable_address()->mutable_socket_address()->set_address(host->address.ip_string());
        to->mutable_address()->mutable_socket_address()->set_port_value(host->address.port());
      } else {
        to->mutable_address()->mutable_pipe()->set_path(host->address.to_string());
      }
      const uint32_t flags = host->health_flags;
      auto* health = to->mutable_health_status();
      health->set_failed_active_health_check(flags & Host::kFailedActiveCheck);
      health->set_failed_outlier_check(flags & Host::kEjectedByOutlier);
      health->set_eds_health_status(flags & Host::kEdsDraining ? envoy::config::core::v3::DRAINING
                                    : flags & Host::kEdsUnhealthy
                                        ? envoy::config::core::v3::UNHEALTHY
                                    : flags & Host::kEdsDegraded
                                        ? envoy::config::core::v3::DEGRADED
                                        : envoy::config::core::v3::HEALTHY);
      to->set_weight(host->weight);
      to->set_priority(host->priority);
      to->set_hostname(host->hostname);
      to->mutable_locality()->set_region(host->locality.region);
      to->mutable_locality()->set_zone(host->locality.zone);
      to->mutable_locality()->set_sub_zone(host->locality.sub_zone);
    }
  }
  return result;
}

}  // namespace sennit::proxy

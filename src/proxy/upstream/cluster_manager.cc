#include "proxy/upstream/cluster_manager_main.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "proxy/upstream/cluster_manager_impl.h"

namespace sennit::proxy {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
namespace endpoint_v3 = envoy::config::endpoint::v3;
using Discovery = ClusterConfig::Discovery;

}  // namespace

std::string stable_bytes(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

Status ClusterManager::Impl::start(const ClusterPtr& cluster, const cluster_v3::Cluster& proto) {
  switch (cluster->config->discovery) {
    case Discovery::OriginalDst:
      set_hosts(cluster, {});
      return {};
    case Discovery::Eds:
      return start_eds(cluster);
    default:
      break;
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
  const bool names =
      std::any_of(cluster->endpoints.endpoints.begin(), cluster->endpoints.endpoints.end(),
                  [](const EndpointTemplate& e) { return !e.name.empty(); });
  if (!names || !cluster->config->wait_for_warm_on_init) {
    apply_resolved(cluster);
  } else {
    warming[cluster->name()] = cluster;
  }
  for (const auto& endpoint : cluster->endpoints.endpoints) {
    if (!endpoint.name.empty()) resolve(cluster, endpoint.name);
  }
  return {};
}

Status ClusterManager::Impl::start_eds(const ClusterPtr& cluster) {
  auto known = assignments.find(cluster->config->eds_name);
  if (known != assignments.end()) {
    auto endpoints = read_assignment(known->second.message, *cluster->config, false);
    if (!endpoints) return std::unexpected(endpoints.error().within("load assignment"));
    set_hosts(cluster, host_set(*endpoints));
    return {};
  }
  warming[cluster->name()] = cluster;
  if (cluster->config->eds_initial_fetch_timeout.count() > 0) {
    std::weak_ptr<ManagedCluster> weak = cluster;
    cluster->fetch_timeout = std::make_unique<net::Timer>(context.main_loop, [this, weak] {
      if (auto locked = weak.lock(); locked && !locked->warm) set_hosts(locked, {});
    });
    cluster->fetch_timeout->enable(cluster->config->eds_initial_fetch_timeout);
  }
  return {};
}

std::vector<std::string> ClusterManager::Impl::eds_names() const {
  std::vector<std::string> names;
  for (const auto& [name, clusters] : eds_index) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

// Asked for after each change; answered once, at the end of a burst of them.
void ClusterManager::Impl::check_eds_names() {
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

ClusterManager::ClusterManager(ClusterManagerContext context)
    : impl_(std::make_unique<Impl>(context)) {}
ClusterManager::~ClusterManager() = default;

Status ClusterManager::apply(const cluster_v3::Cluster& cluster, const std::string& version,
                             Origin origin) {
  std::string bytes = stable_bytes(cluster);
  for (auto* clusters : {&impl_->warming, &impl_->active}) {
    auto found = clusters->find(cluster.name());
    if (found == clusters->end()) continue;
    if (found->second->is_static && origin == Origin::Dynamic) {
      return fail("cluster {}: name: the bootstrap has a static cluster of this name",
                  cluster.name());
    }
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
  auto next = std::make_shared<ManagedCluster>(*config, impl_->eds_index);
  next->bytes = std::move(bytes);
  next->version = version;
  next->last_updated = std::chrono::system_clock::now();
  next->is_static = origin == Origin::Static;
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
  const std::string& name = assignment.cluster_name();
  std::string bytes = stable_bytes(assignment);
  if (auto known = impl_->assignments.find(name);
      known != impl_->assignments.end() && known->second.bytes == bytes) {
    known->second.version = version;  // every cluster that wants it has it
    return {};
  }
  std::vector<std::pair<ClusterPtr, Endpoints>> changes;
  if (auto members = impl_->eds_index.find(name); members != impl_->eds_index.end()) {
    for (ManagedCluster* cluster : members->second) {
      auto endpoints = read_assignment(assignment, *cluster->config, false);
      if (!endpoints) {
        return std::unexpected(endpoints.error().within(fmt::format("load assignment {}", name)));
      }
      changes.emplace_back(cluster->shared_from_this(), std::move(*endpoints));
    }
  }
  impl_->assignments[name] = {assignment, std::move(bytes), version,
                              std::chrono::system_clock::now()};
  for (auto& [cluster, endpoints] : changes) {
    impl_->context.main_shard.inc(cluster->stats().update_success);
    impl_->set_hosts(cluster, host_set(endpoints));
  }
  return {};
}

void ClusterManager::remove_endpoints(const std::string& eds_name) {
  impl_->assignments.erase(eds_name);
}

std::vector<std::string> ClusterManager::eds_names() const {
  return impl_->eds_names();
}
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

}  // namespace sennit::proxy

// ClusterManager's inside: one ManagedCluster per Cluster resource, active or warming, and how they
// change. In four files: cluster_manager.cc (what CDS and EDS ask for), cluster_hosts.cc (hosts to
// workers, outlier detection), cluster_dns.cc, cluster_manager_admin.cc. Main thread only.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/dns.h"
#include "proxy/upstream/cluster_manager_main.h"
#include "proxy/upstream/host_build.h"
#include "proxy/upstream/outlier_detector.h"
#include "proxy/upstream/worker_cluster.h"

namespace sennit::proxy {

struct ManagedCluster;
using ClusterPtr = std::shared_ptr<ManagedCluster>;

// Clusters by the EDS resource that they take their endpoints from.
using EdsIndex = std::unordered_map<std::string, std::set<ManagedCluster*>>;

// A name of a DNS cluster and what became of it.
struct ResolvedName {
  bool known = false;  // `addresses` are an answer
  std::vector<net::Address> addresses;
  uint32_t failures = 0;  // in a row
  std::unique_ptr<net::DnsQuery> query;
  std::unique_ptr<net::Timer> refresh;
};

struct ManagedCluster : std::enable_shared_from_this<ManagedCluster> {
  ManagedCluster(std::shared_ptr<const ClusterConfig> config, EdsIndex& index);
  ~ManagedCluster();
  const std::string& name() const { return config->info->name; }
  const ClusterStats& stats() const { return config->info->stats; }

  const std::shared_ptr<const ClusterConfig> config;
  EdsIndex& eds_index;
  std::string bytes, version;  // of the resource
  std::chrono::system_clock::time_point last_updated;
  bool is_static = false;
  bool warm = false;
  HostSet hosts;
  Endpoints endpoints;  // as configured, for DNS types
  std::map<std::string, ResolvedName> names;
  std::unique_ptr<net::Timer> fetch_timeout, outlier_timer, merge_timer;
  net::TimePoint last_published;
  std::unique_ptr<OutlierDetector> outlier;
  std::shared_ptr<ClusterBreakers> breakers;
  std::shared_ptr<const std::function<void(const HostPtr&, OutlierEvent)>> outlier_event;
  std::shared_ptr<const ClusterUpdate> sent;
  int64_t total = 0, healthy = 0, degraded = 0;  // as the gauges have them
};

// The same message gives the same bytes (protobuf's maps have no order of their own).
std::string stable_bytes(const google::protobuf::Message& message);

struct ClusterManager::Impl {
  struct Worker {
    net::EventLoop& loop;
    std::unique_ptr<WorkerClustersImpl> clusters;
  };
  struct Assignment {
    envoy::config::endpoint::v3::ClusterLoadAssignment message;
    std::string bytes, version;
    std::chrono::system_clock::time_point last_updated;
  };

  explicit Impl(ClusterManagerContext c) : context(c), alive(std::make_shared<Impl*>(this)) {}

  // Endpoints from wherever the cluster's type says: at once, or when they come (warming).
  Status start(const ClusterPtr& cluster, const envoy::config::cluster::v3::Cluster& proto);
  Status start_eds(const ClusterPtr& cluster);
  void check_eds_names();
  std::vector<std::string> eds_names() const;

  // New hosts for a cluster, active or warming; makes it warm.
  void set_hosts(const ClusterPtr& cluster, HostSet next);
  void activate(const ClusterPtr& cluster);
  void start_outlier(const ClusterPtr& cluster);
  // Health changed, not membership: the workers learn it now or at the end of the merge window.
  void publish_health(ManagedCluster& cluster);
  // Makes the cluster's state of now and sends it to the workers.
  void publish(ManagedCluster& cluster, std::vector<HostPtr> removed);
  void post_worker(Worker& worker, const std::string& name,
                   std::shared_ptr<const ClusterUpdate> update);
  void set_membership(ManagedCluster& cluster, const std::vector<HostPtr>& hosts);

  net::DnsResolver& resolver_for(const net::DnsOptions& options);
  void resolve(const ClusterPtr& cluster, const std::string& name);
  void on_resolved(const ClusterPtr& cluster, const std::string& name,
                   const Result<std::vector<net::DnsAddress>>& answer);
  void apply_resolved(const ClusterPtr& cluster);

  ClusterManagerContext context;
  std::shared_ptr<Impl*> alive;  // tasks that come late find it expired
  EdsIndex eds_index;
  std::map<std::string, ClusterPtr> active, warming;
  std::map<std::string, Assignment> assignments;
  std::vector<std::unique_ptr<Worker>> workers;
  std::function<void()> eds_changed;
  std::function<void(const std::string&)> warmed;
  std::vector<std::string> known_eds_names;
  bool eds_check_posted = false;
  std::mt19937_64 random{std::random_device{}()};
  std::vector<std::pair<net::DnsOptions, std::unique_ptr<net::DnsResolver>>> resolvers;
};

}  // namespace sennit::proxy

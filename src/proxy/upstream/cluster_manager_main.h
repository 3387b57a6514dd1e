// The main thread's half of upstream: takes Cluster and ClusterLoadAssignment resources, compiles
// them to immutable snapshots, resolves DNS clusters, runs health checks and outlier detection, and
// posts each change to every worker's WorkerClusters (cluster_manager.h).
//
// Who calls what, on which thread:
//  - Everything here: the main thread only, on the main loop's thread (before `run` is fine).
//  - WorkerClusters from `add_worker`: only that worker's loop thread. Changes reach it as tasks
//    posted to its loop, in the order in which they were applied here; a worker that is added late
//    is sent everything there is.
//  - A proxy with one thread may pass the main loop itself as a worker's loop.
// Destruction: after the worker threads have been joined and before their EventLoops go.
#pragma once

#include <envoy/admin/v3/clusters.pb.h>
#include <envoy/config/cluster/v3/cluster.pb.h>
#include <envoy/config/endpoint/v3/endpoint.pb.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/event_loop.h"
#include "proxy/stats/stats.h"
#include "proxy/tls/transport_sockets.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {

struct ClusterManagerContext {
  net::EventLoop& main_loop;
  stats::Registry& stats;
  stats::Shard& main_shard;  // the main thread's own shard: membership and ejection gauges
  SecretManager& secrets;
};

class ClusterManager {
 public:
  // Static clusters come from the bootstrap and are not removed by CDS.
  enum class Origin { Static, Dynamic };

  explicit ClusterManager(ClusterManagerContext context);
  ~ClusterManager();
  ClusterManager(const ClusterManager&) = delete;
  ClusterManager& operator=(const ClusterManager&) = delete;

  // Adds or replaces a cluster. An error names the field by its path ("cluster NAME:
  // circuit_breakers.thresholds[0].max_connection_pools: not supported") and changes nothing: the
  // xDS client answers it as a NACK. The same bytes again change nothing. A replacement that must
  // warm first (EDS never seen, DNS not resolved) takes over when it is warm.
  Status apply(const envoy::config::cluster::v3::Cluster& cluster, const std::string& version,
               Origin origin = Origin::Dynamic);
  // In-flight requests finish. False: unknown, or static.
  bool remove(const std::string& name);
  // Names of the dynamic clusters, warming ones too: state-of-the-world CDS removes those of them
  // that an update lacks.
  std::vector<std::string> dynamic_names() const;
  bool has(const std::string& name) const;

  // One EDS resource, for whichever clusters have that EDS name (none: kept until one comes, or
  // until remove_endpoints). Hosts that were there before keep identity, health and counters.
  Status apply_endpoints(const envoy::config::endpoint::v3::ClusterLoadAssignment& assignment,
                         const std::string& version);
  // The resource is gone (delta EDS "removed_resources"): its clusters keep their last endpoints,
  // as Envoy does; a cluster made later waits for a new one.
  void remove_endpoints(const std::string& eds_name);

  // EDS names that clusters need now (eds_cluster_config.service_name, or the cluster's name),
  // sorted. `changed` is called at the end of a main-loop batch in which the set changed.
  std::vector<std::string> eds_names() const;
  void on_eds_names_changed(std::function<void()> changed);

  // A cluster became warm (by its first endpoints, resolution or initial_fetch_timeout) after
  // `apply` returned.
  void on_warmed(std::function<void(const std::string& name)> warmed);
  // Clusters that are still warming. The server opens listeners when this is empty (or after its
  // own initial timeout).
  std::vector<std::string> warming() const;

  // A worker's view; owned by this object. `shard` is the worker's.
  WorkerClusters& add_worker(net::EventLoop& loop, stats::Shard& shard);

  // --- admin ---------------------------------------------------------------------------------
  std::string clusters_text() const;                   // GET /clusters
  envoy::admin::v3::Clusters clusters_status() const;  // GET /clusters?format=json
  struct ConfigEntry {
    envoy::config::cluster::v3::Cluster cluster;
    std::string version;
    std::chrono::system_clock::time_point last_updated;
    bool warming = false;
    bool is_static = false;
  };
  std::vector<ConfigEntry> config_entries() const;  // GET /config_dump, by name
  struct EndpointEntry {
    envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
    std::string version;
    std::chrono::system_clock::time_point last_updated;
  };
  std::vector<EndpointEntry> endpoint_entries() const;  // GET /config_dump?include_eds, by name

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace sennit::proxy

// DestinationRule.trafficPolicy.loadBalancer.
#include "mesh/translate/traffic_policy.h"

namespace sennit::mesh {

namespace {

using envoy::config::cluster::v3::Cluster;
// Istio's least number of points on the hash ring.
constexpr uint64_t kRingSize = 1024;

void consistent_hash(const api::LoadBalancerSettings::ConsistentHashLB& settings,
                     Cluster& cluster) {
  if (settings.has_maglev()) {
    cluster.set_lb_policy(Cluster::MAGLEV);
    if (settings.maglev().table_size() > 0) {
      cluster.mutable_maglev_lb_config()->mutable_table_size()->set_value(
          settings.maglev().table_size());
    }
    return;
  }
  cluster.set_lb_policy(Cluster::RING_HASH);
  uint64_t size = settings.ring_hash().minimum_ring_size();
  if (size == 0) size = settings.minimum_ring_size();
  cluster.mutable_ring_hash_lb_config()->mutable_minimum_ring_size()->set_value(
      size == 0 ? kRingSize : size);
}

}  // namespace

void apply_load_balancer(const Mesh& mesh, const api::LoadBalancerSettings& settings,
                         Cluster& cluster) {
  if (cluster.type() == Cluster::ORIGINAL_DST) {
    cluster.set_lb_policy(Cluster::CLUSTER_PROVIDED);
    return;
  }
  const auto& locality = settings.has_locality_lb_setting() ? settings.locality_lb_setting()
                                                            : mesh.config().locality_lb_setting();
  bool on = !locality.has_enabled() || locality.enabled();
  if (on && !locality.distribute().empty()) {
    cluster.mutable_common_lb_config()->mutable_locality_weighted_lb_config();
  }
  if (settings.has_consistent_hash()) return consistent_hash(settings.consistent_hash(), cluster);
  using Settings = api::LoadBalancerSettings;
  switch (settings.simple()) {
    case Settings::RANDOM:
      cluster.set_lb_policy(Cluster::RANDOM);
      break;
    case Settings::ROUND_ROBIN:
      cluster.set_lb_policy(Cluster::ROUND_ROBIN);
      break;
    case Settings::PASSTHROUGH:
      cluster.set_lb_policy(Cluster::CLUSTER_PROVIDED);
      cluster.set_type(Cluster::ORIGINAL_DST);
      cluster.clear_eds_cluster_config();
      cluster.clear_load_assignment();
      break;
    default:
      cluster.set_lb_policy(Cluster::LEAST_REQUEST);
  }
}

}  // namespace sennit::mesh

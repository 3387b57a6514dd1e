// The part of a DestinationRule that is in force for one port and subset, and its effect on a
// cluster.
#pragma once

#include <envoy/config/cluster/v3/cluster.pb.h>

#include <string_view>

#include "mesh/translate/common.h"

namespace sennit::mesh {

// Rule, then subset (each field that the subset sets), then port (which replaces the lot, as Istio
// does: what a port's settings leave out has its default).
api::TrafficPolicy effective_policy(const DestinationRuleEntry* rule, std::string_view subset,
                                    uint32_t port);

// What the port's protocol and the policy make of the HTTP version towards the endpoints.
enum class UpstreamHttp { None, Http1, Http2, FollowsClient };
UpstreamHttp upstream_http(const Mesh& mesh, const ServicePort& port,
                           const api::TrafficPolicy& policy, bool inbound);

void apply_connection_pool(const Mesh& mesh, const api::ConnectionPoolSettings& pool,
                           envoy::config::cluster::v3::Cluster& cluster);
void apply_http_options(UpstreamHttp http, const api::TrafficPolicy& policy, bool auto_sni,
                        bool auto_san, envoy::config::cluster::v3::Cluster& cluster);
void apply_outlier_detection(const api::OutlierDetection& detection,
                             envoy::config::cluster::v3::Cluster& cluster);
void apply_load_balancer(const Mesh& mesh, const api::LoadBalancerSettings& settings,
                         envoy::config::cluster::v3::Cluster& cluster);
// Envoy's bounds at their widest: the mesh sets none of its own.
void unlimited_thresholds(envoy::config::cluster::v3::Cluster& cluster);

// Locality settings in force: the rule's, else the mesh's. nullptr: none, or switched off.
const api::LocalityLoadBalancerSetting* locality_setting(const Mesh& mesh,
                                                         const api::TrafficPolicy& policy);

}  // namespace sennit::mesh

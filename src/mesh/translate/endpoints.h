// A service's endpoints as one proxy is to see them.
#pragma once

#include <envoy/config/endpoint/v3/endpoint.pb.h>

#include <string>

#include "mesh/translate/common.h"

namespace sennit::mesh {

// Endpoints of a port and subset, grouped by locality, with Istio's metadata, and with the locality
// settings of the policy applied for this proxy.
envoy::config::endpoint::v3::ClusterLoadAssignment make_load_assignment(
    const Mesh& mesh, const Proxy& proxy, const Service& service, const ServicePort& port,
    const DestinationRuleEntry* rule, const std::string& subset, const api::TrafficPolicy& policy);

// Locality-weighted distribution and failover (locality_lb.cc).
void apply_locality(const Proxy& proxy, const api::LocalityLoadBalancerSetting& setting,
                    bool failover, envoy::config::endpoint::v3::ClusterLoadAssignment& assignment);

// failoverPriority: how many of its labels, from the first that differs, the workload lacks to be
// the proxy's like. 0 is tried first.
uint32_t label_priority(const Proxy& proxy, const api::LocalityLoadBalancerSetting& setting,
                        const Workload& workload);
// Envoy refuses priorities with gaps: the order is kept, from 0 on.
void close_priority_gaps(envoy::config::endpoint::v3::ClusterLoadAssignment& assignment);

}  // namespace sennit::mesh

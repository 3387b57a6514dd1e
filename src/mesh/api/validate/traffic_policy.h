// TrafficPolicy and its parts, wherever they stand.
#pragma once

#include "mesh/api/istio/traffic_policy.pb.h"
#include "mesh/api/validate/common.h"

namespace sennit::mesh {

void check_traffic_policy(Checker& checker, const std::string& field,
                          const istio::v1::TrafficPolicy& policy);
void check_connection_pool(Checker& checker, const std::string& field,
                           const istio::v1::ConnectionPoolSettings& pool);
void check_locality(Checker& checker, const std::string& field,
                    const istio::v1::LocalityLoadBalancerSetting& setting);

}  // namespace sennit::mesh

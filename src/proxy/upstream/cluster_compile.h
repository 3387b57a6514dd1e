// The parts of compile_cluster (cluster_config.h), one file each: discovery, balancing,
// HTTP, outlier detection.
#pragma once

#include <google/protobuf/duration.pb.h>

#include "proxy/upstream/cluster_config.h"

namespace sennit::proxy {

// Istio sends "for ever" as 9223372035 s, which nanoseconds do not hold: times end at a century.
std::chrono::milliseconds duration(const google::protobuf::Duration& duration);
Result<std::chrono::milliseconds> positive_duration(const google::protobuf::Duration& duration,
                                                    std::string_view path);

Status compile_discovery(const envoy::config::cluster::v3::Cluster& cluster, ClusterConfig& config);
Status compile_http(const envoy::config::cluster::v3::Cluster& cluster, ClusterInfo& info,
                    ClusterConfig& config);
Status compile_lb(const envoy::config::cluster::v3::Cluster& cluster, ClusterConfig& config);
Status compile_outlier(const envoy::config::cluster::v3::Cluster& cluster, ClusterConfig& config);

}  // namespace sennit::proxy

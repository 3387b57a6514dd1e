// Who this proxy is: the bootstrap's node, and what of its metadata is looked at often.
#pragma once

#include <envoy/config/core/v3/base.pb.h>

#include <map>
#include <string>

namespace sennit::proxy {

struct LocalNode {
  envoy::config::core::v3::Node node;  // as sent in DiscoveryRequests
  std::string id, cluster;
  // From Istio's node metadata; empty where absent.
  std::string workload_name, namespace_, cluster_id, mesh_id, service_account, trust_domain;
  std::string instance_ip;
  std::map<std::string, std::string> labels;
  std::string canonical_name() const;  // service.istio.io/canonical-name, else app, else workload
  std::string canonical_revision()
      const;  // service.istio.io/canonical-revision, else version, else "latest"
};

LocalNode make_local_node(const envoy::config::core::v3::Node& node);

}  // namespace sennit::proxy

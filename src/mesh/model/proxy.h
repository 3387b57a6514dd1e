// A connected proxy, as translation sees it: read off its xDS node, then immutable.
#pragma once

#include <envoy/config/core/v3/base.pb.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace sennit::mesh {

struct Proxy {
  enum class Type { Sidecar, Router } type = Type::Sidecar;
  std::string id;  // the node's id
  std::string ip;
  std::vector<std::string> ips;
  std::string namespace_, workload_name, service_account, cluster_id, dns_domain;
  std::map<std::string, std::string> labels;
  // Redirect: the kernel sends traffic to 15001 / 15006 (Istio's default). None: listeners bind
  // addresses that the application is told of (`sennit run --intercept none`).
  enum class Interception { Redirect, Tproxy, None } interception = Interception::Redirect;
  // Interception None only. `loopback_prefix` ("127.3.7"): outbound listener of the n-th service
  // address is PREFIX.n; inbound ports by name (mesh-facing) and the application's, by name.
  std::string loopback_prefix;
  std::map<std::string, uint16_t> inbound_ports;
  std::map<std::string, uint16_t> app_ports;
  uint16_t http_proxy_port = 0;  // 0: no explicit HTTP proxy listener
  std::string auto_register_group;
  // What of Istio's own filters the proxy knows (user agent `sennit-proxy`, or node.extensions).
  bool knows_istio_stats = false, knows_peer_metadata = false, knows_metadata_exchange = false,
       knows_istio_alpn = false;
  std::string region, zone, sub_zone;  // the node's locality
  std::string mesh_id;
  bool is_grpc = false;  // proxyless gRPC (metadata GENERATOR: grpc, or a gRPC user agent)
};

// Reads a node id "sidecar|router~IP~name.ns~ns.svc.cluster.local" and Istio's metadata keys.
Result<Proxy> proxy_from_node(const envoy::config::core::v3::Node& node);

}  // namespace sennit::mesh

// translate(Mesh, Proxy) → xDS resources: pure. No I/O, no clock, no global; the same inputs give
// the same bytes. One file per xDS type (clusters.cc, listeners.cc, ...), one per Istio concern.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/model/mesh.h"
#include "mesh/model/proxy.h"

namespace sennit::mesh {

inline constexpr std::string_view kClusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
inline constexpr std::string_view kEndpointType =
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
inline constexpr std::string_view kListenerType = "type.googleapis.com/envoy.config.listener.v3.Listener";
inline constexpr std::string_view kRouteType =
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

// A resource ready to be sent: serialised once, shared by every proxy that gets the same.
struct XdsResource {
  std::string name;
  std::shared_ptr<const std::string> bytes;  // the serialised message (Any's value)
  uint64_t hash = 0;                         // of bytes; its version
};

// All clusters / listeners of the proxy, in a stable order.
std::vector<XdsResource> translate_clusters(const Mesh& mesh, const Proxy& proxy);
std::vector<XdsResource> translate_listeners(const Mesh& mesh, const Proxy& proxy);
// The one named; bytes is nullptr where there is no such resource for this proxy.
XdsResource translate_endpoints(const Mesh& mesh, const Proxy& proxy, std::string_view cluster_name);
XdsResource translate_routes(const Mesh& mesh, const Proxy& proxy, std::string_view route_name);

}  // namespace sennit::mesh

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
#include "xds/resource.h"

namespace sennit::mesh {

using xds::kClusterType;
using xds::kEndpointType;
using xds::kListenerType;
using xds::kRouteType;
using XdsResource = xds::Resource;

// All clusters / listeners of the proxy, in a stable order.
std::vector<XdsResource> translate_clusters(const Mesh& mesh, const Proxy& proxy);
std::vector<XdsResource> translate_listeners(const Mesh& mesh, const Proxy& proxy);
// The one named; bytes is nullptr where there is no such resource for this proxy.
XdsResource translate_endpoints(const Mesh& mesh, const Proxy& proxy,
                                std::string_view cluster_name);
XdsResource translate_routes(const Mesh& mesh, const Proxy& proxy, std::string_view route_name);

}  // namespace sennit::mesh

// Route configurations by name.
#include <envoy/config/route/v3/route.pb.h>

#include <algorithm>

#include "mesh/translate/outbound.h"
#include "mesh/translate/route_context.h"

namespace sennit::mesh {

XdsResource translate_routes(const Mesh& mesh, const Proxy& proxy, std::string_view route_name) {
  std::string name(route_name);
  std::vector<route_v3::VirtualHost> hosts;
  bool known = proxy.type == Proxy::Type::Router
                   ? gateway_virtual_hosts(mesh, proxy, route_name, hosts)
                   : sidecar_virtual_hosts(mesh, proxy, route_name, hosts);
  if (!known) return {name, nullptr, 0};
  envoy::config::route::v3::RouteConfiguration config;
  config.set_name(name);
  // Istio's bound on direct responses: 1 MiB.
  constexpr uint32_t kMaxBodyBytes = 1 << 20;
  config.mutable_max_direct_response_body_size_bytes()->set_value(kMaxBodyBytes);
  config.mutable_validate_clusters()->set_value(false);
  // The explicit proxy's hosts are told apart by their ports.
  if (route_name != kHttpProxyRoutes) config.set_ignore_port_in_host_matching(true);
  for (auto& host : hosts) *config.add_virtual_hosts() = std::move(host);
  return make_resource(name, config);
}

}  // namespace sennit::mesh

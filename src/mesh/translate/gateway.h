// Gateways: the servers of all Gateway resources that select a proxy, merged by port.
#pragma once

#include <envoy/config/listener/v3/listener.pb.h>

#include <map>
#include <string>
#include <vector>

#include "mesh/translate/common.h"

namespace sennit::mesh {

struct GatewayServer {
  GatewayRule gateway;
  const api::Server* server = nullptr;
};

// All servers of one listener, in the order in which the Gateways were made.
struct GatewayPort {
  std::string bind;
  uint32_t number = 0;
  std::vector<GatewayServer> servers;
};

std::vector<GatewayPort> gateway_ports(const Mesh& mesh, const Proxy& proxy);
// "http.80", "https.443.https.NAME.NAMESPACE", or "" for a server without HTTP routes.
std::string gateway_route_name(const GatewayServer& server);
// The servers that share a route configuration.
std::vector<GatewayServer> servers_of_route(const Mesh& mesh, const Proxy& proxy,
                                            std::string_view route_name);
bool terminates_tls(const api::Server& server);

std::vector<envoy::config::listener::v3::Listener> gateway_listeners(const Mesh& mesh,
                                                                     const Proxy& proxy);

}  // namespace sennit::mesh

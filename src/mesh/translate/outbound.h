// A sidecar's outbound listeners.
#pragma once

#include <envoy/config/listener/v3/listener.pb.h>

#include <vector>

#include "mesh/translate/common.h"

namespace sennit::mesh {

// Behind the kernel's redirection: one listener per port (HTTP) or address and port (TCP), then
// virtualOutbound (:15001).
std::vector<envoy::config::listener::v3::Listener> redirected_outbound_listeners(
    const Mesh& mesh, const Proxy& proxy);
// Without interception: each service port on an address of its own, and an explicit HTTP proxy.
std::vector<envoy::config::listener::v3::Listener> direct_outbound_listeners(const Mesh& mesh,
                                                                             const Proxy& proxy);
// Proxyless gRPC: API listeners named HOST:PORT.
std::vector<envoy::config::listener::v3::Listener> grpc_listeners(const Mesh& mesh,
                                                                  const Proxy& proxy);

// The route name of the explicit HTTP proxy listener.
inline constexpr const char* kHttpProxyRoutes = "http_proxy";

}  // namespace sennit::mesh

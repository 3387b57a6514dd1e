// All listeners of a proxy.
#include <envoy/config/listener/v3/listener.pb.h>

#include "mesh/translate/gateway.h"
#include "mesh/translate/inbound.h"
#include "mesh/translate/outbound.h"

namespace sennit::mesh {

std::vector<XdsResource> translate_listeners(const Mesh& mesh, const Proxy& proxy) {
  std::vector<XdsResource> out;
  auto add = [&](const std::vector<envoy::config::listener::v3::Listener>& listeners) {
    for (const auto& listener : listeners) out.push_back(make_resource(listener.name(), listener));
  };
  if (proxy.is_grpc) {
    add(grpc_listeners(mesh, proxy));
  } else if (proxy.type == Proxy::Type::Router) {
    add(gateway_listeners(mesh, proxy));
  } else {
    add(proxy.interception == Proxy::Interception::None
            ? direct_outbound_listeners(mesh, proxy)
            : redirected_outbound_listeners(mesh, proxy));
    add(inbound_listeners(mesh, proxy));
  }
  return out;
}

}  // namespace sennit::mesh

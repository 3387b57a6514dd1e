// What every part of a route needs to know while it is made.
#pragma once

#include <envoy/config/route/v3/route_components.pb.h>

#include <optional>
#include <string>
#include <vector>

#include "mesh/translate/common.h"

namespace sennit::mesh {

namespace route_v3 = envoy::config::route::v3;

struct RouteContext {
  const Mesh& mesh;
  const Proxy& proxy;
  uint32_t port = 0;    // of the listener; 0: an explicit HTTP proxy, any
  std::string gateway;  // "mesh" or "NAMESPACE/NAME"
  bool is_gateway() const { return gateway != "mesh"; }
  // The port that a destination without one means.
  uint32_t destination_port(const api::Destination& to) const;
  std::string cluster_of(const api::Destination& to) const;
};

// route_match.cc. `match` may be nullptr: everything.
route_v3::RouteMatch make_match(const api::HTTPMatchRequest* match);
// False when the match can never hold for this proxy and listener: other port, gateway or source.
bool applies(const api::HTTPMatchRequest& match, const RouteContext& context);
// True when the route takes every request.
bool takes_everything(const route_v3::Route& route);

// route_action.cc: where a rule sends requests, and how.
void set_destinations(const api::HTTPRoute& http, const RouteContext& context,
                      route_v3::Route& route);
// The route of a service that no VirtualService speaks of.
route_v3::Route default_route(const Service& service, uint32_t port, const RouteContext& context);

// route_response.cc: answers that come from the proxy itself.
void set_redirect(const api::HTTPRedirect& redirect, uint32_t port, route_v3::RedirectAction& out);
void set_direct_response(const api::HTTPDirectResponse& response,
                         route_v3::DirectResponseAction& out);

// retries.cc. nullopt: no retries. `hashed`: the destination is picked by hash, so that asking for
// another host would be in vain.
std::optional<route_v3::RetryPolicy> make_retries(const api::HTTPRetry* retries, bool hashed);

// route_filters.cc: per-route configuration of the fault and CORS filters.
void set_fault(const api::HTTPFaultInjection& fault, route_v3::Route& route);
void set_cors(const api::CorsPolicy& cors, route_v3::Route& route);

// route_headers.cc. Returns the authority that "Host" or ":authority" is set to, else "".
std::string add_header_operations(
    const api::Headers& headers,
    google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>& request_add,
    google::protobuf::RepeatedPtrField<std::string>& request_remove,
    google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>& response_add,
    google::protobuf::RepeatedPtrField<std::string>& response_remove);

// virtual_service_routes.cc: all routes of a VirtualService for this context, in order; those after
// one that takes everything are left out.
std::vector<route_v3::Route> make_routes(const VirtualServiceRule& rule,
                                         const RouteContext& context);

// Virtual hosts of the route configurations of sidecars and of gateways.
bool sidecar_virtual_hosts(const Mesh& mesh, const Proxy& proxy, std::string_view route_name,
                           std::vector<route_v3::VirtualHost>& out);
bool gateway_virtual_hosts(const Mesh& mesh, const Proxy& proxy, std::string_view route_name,
                           std::vector<route_v3::VirtualHost>& out);

}  // namespace sennit::mesh

#include <fmt/format.h>

#include "mesh/translate/route_context.h"

namespace sennit::mesh {

namespace {

// What traces call the route: HOST:PORT/PATH of its one destination, else the rule's name.
std::string operation_of(const route_v3::Route& route, const VirtualServiceRule& rule,
                         uint32_t port) {
  const auto& match = route.match();
  std::string path = "/*";
  if (!match.path().empty()) path = match.path();
  if (!match.prefix().empty()) path = match.prefix() + "*";
  if (match.has_safe_regex()) path = match.safe_regex().regex();
  OutboundName name;
  if (parse_outbound_cluster(route.route().cluster(), name)) {
    return fmt::format("{}:{}{}", name.host, name.port, path);
  }
  return fmt::format("{}:{}{}", rule.resource->name, port, path);
}

std::string route_name(const api::HTTPRoute& http, const api::HTTPMatchRequest* match) {
  if (match == nullptr || match->name().empty()) return http.name();
  return http.name() + "." + match->name();
}

route_v3::Route make_route(const VirtualServiceRule& rule, const api::HTTPRoute& http,
                           const api::HTTPMatchRequest* match, const RouteContext& context) {
  route_v3::Route route;
  route.set_name(route_name(http, match));
  *route.mutable_match() = make_match(match);
  set_istio_config(*route.mutable_metadata(), *rule.resource);
  if (match != nullptr) route.set_stat_prefix(match->stat_prefix());
  if (http.has_headers()) {
    add_header_operations(http.headers(), *route.mutable_request_headers_to_add(),
                          *route.mutable_request_headers_to_remove(),
                          *route.mutable_response_headers_to_add(),
                          *route.mutable_response_headers_to_remove());
  }
  if (http.has_redirect()) {
    set_redirect(http.redirect(), context.port, *route.mutable_redirect());
  } else if (http.has_direct_response()) {
    set_direct_response(http.direct_response(), *route.mutable_direct_response());
  } else {
    set_destinations(http, context, route);
  }
  route.mutable_decorator()->set_operation(operation_of(route, rule, context.port));
  if (http.has_fault()) set_fault(http.fault(), route);
  if (http.has_cors_policy()) set_cors(http.cors_policy(), route);
  return route;
}

}  // namespace

std::vector<route_v3::Route> make_routes(const VirtualServiceRule& rule,
                                         const RouteContext& context) {
  std::vector<route_v3::Route> out;
  for (const auto& http : rule.spec.http()) {
    if (http.match().empty()) {
      out.push_back(make_route(rule, http, nullptr, context));
      return out;
    }
    for (const auto& match : http.match()) {
      if (!applies(match, context)) continue;
      out.push_back(make_route(rule, http, &match, context));
      if (takes_everything(out.back())) return out;
    }
  }
  return out;
}

}  // namespace sennit::mesh

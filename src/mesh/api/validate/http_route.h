// VirtualService's http routes: matches, actions, and what may not stand beside what.
#pragma once

#include "mesh/api/istio/virtual_service.pb.h"
#include "mesh/api/validate/common.h"

namespace sennit::mesh {

// `delegate`: the route is of a VirtualService without hosts.
void check_http_route(Checker& checker, const std::string& field, const istio::v1::HTTPRoute& route,
                      bool delegate);
void check_destination(Checker& checker, const std::string& field,
                       const istio::v1::Destination& destination);
void check_retries(Checker& checker, const std::string& field, const istio::v1::HTTPRetry& retries);
void check_fault(Checker& checker, const std::string& field,
                 const istio::v1::HTTPFaultInjection& fault);
void check_cors(Checker& checker, const std::string& field, const istio::v1::CorsPolicy& cors);
void check_header_operations(Checker& checker, const std::string& field,
                             const istio::v1::Headers& headers);

// Destinations with weights: none negative, and of several not all 0.
template <typename Routes>
void check_weights(Checker& checker, const std::string& field, const Routes& routes) {
  int64_t total = 0;
  for (int i = 0; i < routes.size(); ++i) {
    const std::string path = at(field, i);
    if (!routes[i].has_destination())
      checker.error(path, "needs a \"destination\"");
    else
      check_destination(checker, below(path, "destination"), routes[i].destination());
    check_not_negative(checker, below(path, "weight"), routes[i].weight());
    total += std::max(0, routes[i].weight());
  }
  if (routes.size() > 1 && total == 0)
    checker.error(field, "all weights are 0; give each of the {} destinations a weight",
                  routes.size());
}

}  // namespace sennit::mesh

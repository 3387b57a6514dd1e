#include <fmt/format.h>

#include "mesh/translate/route_context.h"
#include "mesh/translate/traffic_policy.h"

namespace sennit::mesh {

namespace {

constexpr double kMillionPerPercent = 10000;
constexpr double kEverything = 100;

// The hash policies of the DestinationRule at the destination; true if there are any.
bool add_hash_policy(const RouteContext& context, const api::Destination& to,
                     route_v3::RouteAction& action) {
  auto service = context.mesh.service(to.host(), context.proxy.namespace_);
  if (!service) return false;
  auto rule =
      context.mesh.destination_rule(*service, context.proxy.namespace_, context.proxy.labels);
  if (!rule) return false;
  api::TrafficPolicy policy =
      effective_policy(rule.get(), to.subset(), context.destination_port(to));
  if (!policy.load_balancer().has_consistent_hash()) return false;
  const auto& hash = policy.load_balancer().consistent_hash();
  using Hash = api::LoadBalancerSettings::ConsistentHashLB;
  switch (hash.hash_key_case()) {
    case Hash::kHttpHeaderName:
      action.add_hash_policy()->mutable_header()->set_header_name(hash.http_header_name());
      return true;
    case Hash::kHttpCookie: {
      auto* cookie = action.add_hash_policy()->mutable_cookie();
      cookie->set_name(hash.http_cookie().name());
      cookie->set_path(hash.http_cookie().path());
      if (hash.http_cookie().has_ttl()) *cookie->mutable_ttl() = hash.http_cookie().ttl();
      for (const auto& attribute : hash.http_cookie().attributes()) {
        auto* out = cookie->add_attributes();
        out->set_name(attribute.name());
        out->set_value(attribute.value());
      }
      return true;
    }
    case Hash::kUseSourceIp:
      if (!hash.use_source_ip()) return false;
      action.add_hash_policy()->mutable_connection_properties()->set_source_ip(true);
      return true;
    case Hash::kHttpQueryParameterName:
      action.add_hash_policy()->mutable_query_parameter()->set_name(
          hash.http_query_parameter_name());
      return true;
    default:
      return false;
  }
}

void add_mirror(const RouteContext& context, const api::Destination& to, double percent,
                route_v3::RouteAction& action) {
  if (percent <= 0) return;
  auto* mirror = action.add_request_mirror_policies();
  mirror->set_cluster(context.cluster_of(to));
  mirror->mutable_trace_sampled()->set_value(false);
  mirror->set_disable_shadow_host_suffix_append(true);
  auto* fraction = mirror->mutable_runtime_fraction()->mutable_default_value();
  fraction->set_numerator(static_cast<uint32_t>(percent * kMillionPerPercent + 0.5));
  fraction->set_denominator(envoy::type::v3::FractionalPercent::MILLION);
}

void add_mirrors(const api::HTTPRoute& http, const RouteContext& context,
                 route_v3::RouteAction& action) {
  for (const auto& mirror : http.mirrors()) {
    add_mirror(context, mirror.destination(),
               mirror.has_percentage() ? mirror.percentage().value() : kEverything, action);
  }
  if (!http.has_mirror() || !http.mirrors().empty()) return;
  double percent = kEverything;
  if (http.has_mirror_percent()) percent = http.mirror_percent();
  if (http.has_mirror_percentage()) percent = http.mirror_percentage().value();
  add_mirror(context, http.mirror(), percent, action);
}

void set_rewrite(const api::HTTPRewrite& rewrite, route_v3::RouteAction& action) {
  if (rewrite.has_uri_regex_rewrite()) {
    auto* regex = action.mutable_regex_rewrite();
    regex->mutable_pattern()->set_regex(rewrite.uri_regex_rewrite().match());
    regex->set_substitution(rewrite.uri_regex_rewrite().rewrite());
  } else if (!rewrite.uri().empty()) {
    action.set_prefix_rewrite(rewrite.uri());
  }
  if (!rewrite.authority().empty()) action.set_host_rewrite_literal(rewrite.authority());
}

void set_single(const api::HTTPRouteDestination& to, const RouteContext& context,
                route_v3::Route& route) {
  auto& action = *route.mutable_route();
  action.set_cluster(context.cluster_of(to.destination()));
  if (!to.has_headers()) return;
  std::string authority = add_header_operations(
      to.headers(), *route.mutable_request_headers_to_add(),
      *route.mutable_request_headers_to_remove(), *route.mutable_response_headers_to_add(),
      *route.mutable_response_headers_to_remove());
  if (!authority.empty()) action.set_host_rewrite_literal(authority);
}

void set_weighted(const std::vector<const api::HTTPRouteDestination*>& destinations,
                  const RouteContext& context, route_v3::RouteAction& action) {
  for (const auto* to : destinations) {
    auto* cluster = action.mutable_weighted_clusters()->add_clusters();
    cluster->set_name(context.cluster_of(to->destination()));
    cluster->mutable_weight()->set_value(static_cast<uint32_t>(to->weight()));
    if (!to->has_headers()) continue;
    std::string authority = add_header_operations(
        to->headers(), *cluster->mutable_request_headers_to_add(),
        *cluster->mutable_request_headers_to_remove(), *cluster->mutable_response_headers_to_add(),
        *cluster->mutable_response_headers_to_remove());
    if (!authority.empty()) cluster->set_host_rewrite_literal(authority);
  }
}

}  // namespace

uint32_t RouteContext::destination_port(const api::Destination& to) const {
  if (to.port().number() != 0) return to.port().number();
  // A sidecar sees only the services of its listener's port, where that port is meant; a gateway's
  // and an explicit proxy's port says nothing of the service's.
  if (!is_gateway() && port != 0) return port;
  auto service = mesh.service(to.host(), proxy.namespace_);
  if (service && service->ports.size() == 1) return service->ports[0].number;
  constexpr uint32_t kHttpPort = 80;
  return port == 0 ? kHttpPort : port;
}

std::string RouteContext::cluster_of(const api::Destination& to) const {
  return outbound_cluster(destination_port(to), to.subset(), to.host());
}

void set_destinations(const api::HTTPRoute& http, const RouteContext& context,
                      route_v3::Route& route) {
  auto& action = *route.mutable_route();
  *action.mutable_timeout() = http.has_timeout() ? http.timeout() : seconds(0);
  *action.mutable_max_grpc_timeout() = action.timeout();
  if (http.has_rewrite()) set_rewrite(http.rewrite(), action);
  if (http.has_headers()) {
    for (const auto& [name, value] : http.headers().request().set()) {
      bool host = name == ":authority" || name == "host" || name == "Host";
      if (host && action.host_rewrite_literal().empty()) action.set_host_rewrite_literal(value);
    }
  }
  std::vector<const api::HTTPRouteDestination*> destinations;
  for (const auto& to : http.route()) {
    if (http.route_size() == 1 || to.weight() > 0) destinations.push_back(&to);
  }
  bool hashed = false;
  for (const auto* to : destinations) {
    hashed |= add_hash_policy(context, to->destination(), action);
  }
  if (destinations.size() == 1) {
    set_single(*destinations[0], context, route);
  } else if (!destinations.empty()) {
    hashed = false;  // another draw of the destination is another host
    set_weighted(destinations, context, action);
  }
  add_mirrors(http, context, action);
  const api::HTTPRetry* retries = nullptr;
  if (http.has_retries()) {
    retries = &http.retries();
  } else if (context.mesh.config().has_default_http_retry_policy()) {
    retries = &context.mesh.config().default_http_retry_policy();
  }
  if (auto policy = make_retries(retries, hashed)) *action.mutable_retry_policy() = *policy;
}

route_v3::Route default_route(const Service& service, uint32_t port, const RouteContext& context) {
  api::HTTPRoute http;
  auto* to = http.add_route()->mutable_destination();
  to->set_host(service.hostname);
  to->mutable_port()->set_number(port);
  route_v3::Route route;
  route.set_name("default");
  *route.mutable_match() = make_match(nullptr);
  set_destinations(http, context, route);
  route.mutable_decorator()->set_operation(fmt::format("{}:{}/*", service.hostname, port));
  return route;
}

}  // namespace sennit::mesh

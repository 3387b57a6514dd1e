// VirtualService rules, one promise each, as they end up in a sidecar's route configuration.
#include <envoy/config/route/v3/route.pb.h>
#include <envoy/extensions/filters/http/fault/v3/fault.pb.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "mesh/translate/test_meshes.h"

namespace sennit::mesh {
namespace {

using envoy::config::route::v3::RedirectAction;
using envoy::config::route::v3::Route;
using envoy::config::route::v3::RouteConfiguration;

constexpr const char* kMill = R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: mill, namespace: farm}
spec:
  hosts: [mill.farm.svc.cluster.local]
  addresses: [240.240.7.1]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.9.1, labels: {version: v1}}, {address: 127.0.9.2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: mill, namespace: farm}
spec:
  host: mill
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mill, namespace: farm}
spec:
  hosts: [mill]
  http:
)";

constexpr const char* kToMill = "route: [{destination: {host: mill}}]";

Proxy sidecar() {
  Proxy proxy;
  proxy.ip = "127.0.9.100";
  proxy.ips = {proxy.ip};
  proxy.namespace_ = "farm";
  proxy.dns_domain = "farm.svc.cluster.local";
  proxy.labels = {{"app", "cart"}};
  return proxy;
}

// `rules`: items of the VirtualService's http list.
std::vector<Route> routes_of(const std::string& rules) {
  auto mesh = mesh_of(kMill + rules);
  auto config = parse<RouteConfiguration>(translate_routes(*mesh, sidecar(), "80"));
  if (config.virtual_hosts().empty()) return {};
  const auto& routes = config.virtual_hosts(0).routes();
  return {routes.begin(), routes.end()};
}

Route route_of(const std::string& rule) {
  auto routes = routes_of(rule);
  return routes.empty() ? Route() : routes[0];
}

TEST(RouteMatch, APrefixIsEverythingThatBeginsSo) {
  Route route = route_of(fmt::format("  - {{match: [{{uri: {{prefix: /a}}}}], {}}}\n", kToMill));
  EXPECT_EQ(route.match().prefix(), "/a");
}

TEST(RouteMatch, ARuleWithSeveralMatchesIsARouteForEach) {
  auto routes = routes_of(fmt::format(
      "  - {{match: [{{uri: {{exact: /a}}}}, {{headers: {{x: {{exact: b}}}}}}], {}}}\n", kToMill));
  ASSERT_EQ(routes.size(), 2u);
  EXPECT_EQ(routes[0].match().path(), "/a");
  EXPECT_EQ(routes[1].match().headers(0).string_match().exact(), "b");
}

TEST(RouteMatch, AHeaderWithoutAValueAsksForItsPresence) {
  Route route = route_of(fmt::format("  - {{match: [{{headers: {{x: {{}}}}}}], {}}}\n", kToMill));
  EXPECT_TRUE(route.match().headers(0).present_match());
}

TEST(RouteMatch, AMatchForAnotherSourceIsLeftOut) {
  auto routes = routes_of(fmt::format(
      "  - {{match: [{{sourceLabels: {{app: other}}}}], {0}}}\n  - {{{0}}}\n", kToMill));
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_TRUE(routes[0].match().headers().empty());
}

TEST(RouteMatch, WhatFollowsACatchAllIsLeftOut) {
  EXPECT_EQ(routes_of(fmt::format("  - {{{0}}}\n  - {{match: [{{uri: {{prefix: /a}}}}], {0}}}\n",
                                  kToMill))
                .size(),
            1u);
}

struct RetryCase {
  const char* written;
  const char* conditions;  // nullptr: no retries at all
  uint32_t attempts;
  std::vector<uint32_t> codes;
};

TEST(Retries, AreWhatIstioMakesOfThem) {
  const RetryCase cases[] = {
      {"", "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes", 2, {}},
      {", retries: {attempts: 0}", nullptr, 0, {}},
      {", retries: {attempts: 5}",
       "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
       5,
       {}},
      {", retries: {attempts: 3, retryOn: \"5xx,reset\"}", "5xx,reset", 3, {}},
      {", retries: {attempts: 3, retryOn: \"reset,503, 418\"}",
       "reset,retriable-status-codes",
       3,
       {503, 418}},
  };
  for (const auto& one : cases) {
    Route route = route_of(fmt::format("  - {{{}{}}}\n", kToMill, one.written));
    EXPECT_EQ(route.route().has_retry_policy(), one.conditions != nullptr) << one.written;
    if (one.conditions == nullptr) continue;
    const auto& policy = route.route().retry_policy();
    EXPECT_EQ(policy.retry_on(), one.conditions) << one.written;
    EXPECT_EQ(policy.num_retries().value(), one.attempts) << one.written;
    EXPECT_THAT(policy.retriable_status_codes(), testing::ElementsAreArray(one.codes));
  }
}

TEST(Destinations, AWeightOfZeroIsNeverDrawn) {
  Route route = route_of(
      "  - route: [{destination: {host: mill, subset: v1}, weight: 100},\n"
      "            {destination: {host: mill, subset: v2}, weight: 0}]\n");
  EXPECT_EQ(route.route().cluster(), "outbound|80|v1|mill.farm.svc.cluster.local");
}

TEST(Destinations, WeightsAreKept) {
  Route route = route_of(
      "  - route: [{destination: {host: mill, subset: v1}, weight: 90},\n"
      "            {destination: {host: mill, subset: v2}, weight: 10}]\n");
  ASSERT_EQ(route.route().weighted_clusters().clusters_size(), 2);
  EXPECT_EQ(route.route().weighted_clusters().clusters(0).weight().value(), 90u);
  EXPECT_EQ(route.route().weighted_clusters().clusters(1).weight().value(), 10u);
}

TEST(Destinations, AMirrorKeepsTheHost) {
  Route route = route_of(fmt::format(
      "  - {{{}, mirror: {{host: mill, subset: v2}}, mirrorPercentage: {{value: 0.5}}}}\n",
      kToMill));
  const auto& mirror = route.route().request_mirror_policies(0);
  EXPECT_TRUE(mirror.disable_shadow_host_suffix_append());
  EXPECT_EQ(mirror.runtime_fraction().default_value().numerator(), 5000u);
}

TEST(Destinations, TheHostHeaderIsRewrittenNotSet) {
  Route route = route_of(
      fmt::format("  - {{{}, headers: {{request: {{set: {{Host: other.test}}}}}}}}\n", kToMill));
  EXPECT_EQ(route.route().host_rewrite_literal(), "other.test");
  EXPECT_TRUE(route.request_headers_to_add().empty());
}

TEST(Redirects, HaveTheCodeThatIsAskedFor) {
  const std::pair<const char*, RedirectAction::RedirectResponseCode> cases[] = {
      {"", RedirectAction::MOVED_PERMANENTLY},
      {", redirectCode: 302", RedirectAction::FOUND},
      {", redirectCode: 303", RedirectAction::SEE_OTHER},
      {", redirectCode: 307", RedirectAction::TEMPORARY_REDIRECT},
      {", redirectCode: 308", RedirectAction::PERMANENT_REDIRECT},
  };
  for (const auto& [written, code] : cases) {
    Route route = route_of(fmt::format("  - redirect: {{uri: /new{}}}\n", written));
    EXPECT_EQ(route.redirect().path_redirect(), "/new");
    EXPECT_EQ(route.redirect().response_code(), code) << written;
  }
}

TEST(Faults, WithoutAPercentageAreForNobody) {
  Route route =
      route_of(fmt::format("  - {{{}, fault: {{abort: {{httpStatus: 500}}}}}}\n", kToMill));
  EXPECT_TRUE(route.typed_per_filter_config().empty());
}

TEST(Faults, ArePartsOfAMillion) {
  Route route = route_of(fmt::format(
      "  - {{{}, fault: {{abort: {{httpStatus: 500, percentage: {{value: 0.1}}}}}}}}\n", kToMill));
  envoy::extensions::filters::http::fault::v3::HTTPFault fault;
  ASSERT_TRUE(route.typed_per_filter_config().at("envoy.filters.http.fault").UnpackTo(&fault));
  EXPECT_EQ(fault.abort().http_status(), 500u);
  EXPECT_EQ(fault.abort().percentage().numerator(), 1000u);
}

}  // namespace
}  // namespace sennit::mesh

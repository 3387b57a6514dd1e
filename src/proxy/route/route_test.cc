#include "proxy/match/string_matcher.h"
#include "proxy/route/test_routes.h"

namespace sennit::proxy {
namespace {

const Route& only_route(const RouteTable& table, const http::HeaderMap& request) {
  const Route* route = table.match(request, StreamInfo(), 0);
  EXPECT_NE(route, nullptr);
  return *route;
}

std::string rewritten(const std::string& match, const std::string& action,
                      const std::string& path) {
  auto table = make_routes("routes { match {" + match + "} route { cluster: 'c' " + action + "} }");
  auto request = make_request("a", path);
  only_route(*table, request).rewrite_path(request);
  return std::string(request.path());
}

std::string redirected(const std::string& match, const std::string& redirect,
                       const http::HeaderMap& request) {
  auto table = make_routes("routes { match {" + match + "} redirect {" + redirect + "} }");
  return only_route(*table, request).redirect->location(request);
}

TEST(Route, RewritesPathsAndKeepsTheQuery) {
  struct {
    const char *match, *action, *path, *expected;
  } const cases[] = {
      {"prefix: '/old'", "prefix_rewrite: '/new'", "/old/x?a=b", "/new/x?a=b"},
      {"prefix: '/old'", "prefix_rewrite: '/new'", "/oldies", "/newies"},
      {"prefix: '/old'", "prefix_rewrite: '/'", "/old/x", "//x"},
      {"prefix: '/'", "prefix_rewrite: '/fixed'", "/x/y", "/fixedx/y"},
      {"path: '/a'", "prefix_rewrite: '/b'", "/a?q", "/b?q"},
      {"path_separated_prefix: '/a'", "prefix_rewrite: '/b'", "/a/c", "/b/c"},
      {"safe_regex { regex: '/a/.*' }", "prefix_rewrite: '/b'", "/a/c", "/b"},
      {"prefix: '/'",
       "regex_rewrite { pattern { regex: '^/v([0-9]+)/(.*)$' } substitution: '/\\\\2/\\\\1' }",
       "/v2/pets?q=/v1/", "/pets/2?q=/v1/"},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(rewritten(test.match, test.action, test.path), test.expected) << test.action;
  }
}

TEST(Route, RedirectsAsEnvoyDoes) {
  struct {
    const char *match, *redirect, *authority, *path, *expected;
  } const cases[] = {
      {"prefix: '/r'", "path_redirect: '/new'", "a", "/r/x?q=1", "http://a/new?q=1"},
      {"prefix: '/r'", "path_redirect: '/new'", "a:80", "/r", "http://a:80/new"},
      {"prefix: '/r'", "path_redirect: '/new?own=1'", "a", "/r?q", "http://a/new?own=1"},
      {"prefix: '/r'", "host_redirect: 'o.test'", "a:80", "/r/x?q=1", "http://o.test/r/x?q=1"},
      {"prefix: '/r'", "https_redirect: true", "a:80", "/r", "https://a/r"},
      {"prefix: '/r'", "https_redirect: true", "a:8080", "/r", "https://a:8080/r"},
      {"prefix: '/r'", "scheme_redirect: 'https'", "a", "/r?x", "https://a/r?x"},
      {"prefix: '/r'", "port_redirect: 8443", "a:80", "/r", "http://a:8443/r"},
      {"prefix: '/r'", "prefix_rewrite: '/n'", "a", "/r/x?q", "http://a/n/x?q"},
      {"prefix: '/r'", "strip_query: true", "a", "/r?q", "http://a/r"},
      {"prefix: '/'", "regex_rewrite { pattern { regex: '^/(.)' } substitution: '/\\\\1\\\\1' }",
       "a", "/x?q", "http://a/xx?q"},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(redirected(test.match, test.redirect, make_request(test.authority, test.path)),
              test.expected)
        << test.redirect;
  }
}

TEST(Route, ChoosesClustersByWeight) {
  auto table = make_routes(
      "routes { match { prefix: '/' } route { weighted_clusters {"
      " clusters { name: 'a' weight { value: 90 } } clusters { name: 'z' weight { value: 0 } }"
      " clusters { name: 'b' weight { value: 10 } } } } }");
  const Route& route = only_route(*table, make_request("h", "/"));
  EXPECT_EQ(route.choose_cluster(89).name, "a");
  EXPECT_EQ(route.choose_cluster(90).name, "b");
  EXPECT_EQ(route.choose_cluster(100).name, "a");
}

constexpr const char* kLevels =
    "request_headers_to_add { header { key: 'x-add' value: 'table' } }"
    "virtual_hosts { name: 'v' domains: '*'"
    " request_headers_to_add { header { key: 'x-add' value: 'host' } }"
    " request_headers_to_add { header { key: 'x-set' value: 'host' } append_action: "
    "OVERWRITE_IF_EXISTS_OR_ADD }"
    " request_headers_to_remove: 'x-gone'"
    " response_headers_to_add { header { key: 'x-from' value: '%REQ(:path)%' } }"
    " routes { match { prefix: '/' } route { cluster: 'c' }"
    "  request_headers_to_add { header { key: 'x-add' value: 'route' } }"
    "  request_headers_to_add { header { key: 'x-set' value: 'route' } append_action: "
    "OVERWRITE_IF_EXISTS_OR_ADD }"
    "  request_headers_to_add { header { key: 'x-if' value: 'v' } append_action: ADD_IF_ABSENT }"
    "  request_headers_to_add { header { key: 'x-old' value: 'v' } append_action: "
    "OVERWRITE_IF_EXISTS }"
    "  request_headers_to_add { header { key: 'x-empty' value: '%REQ(x-none)%' } } } }";

std::string all(const http::HeaderMap& headers, const char* name) {
  std::string storage;
  return std::string(headers.get_all(name, storage).value_or("-"));
}

TEST(Route, AppliesHeaderOperationsFromTheRouteOutwards) {
  auto table = make_table(kLevels);
  auto request = make_request("h", "/p", {{"x-gone", "1"}, {"x-if", "mine"}, {"x-add", "mine"}});
  const Route& route = only_route(*table, request);
  route.apply_request_headers(route.clusters[0], request, StreamInfo());
  EXPECT_EQ(all(request, "x-add"), "mine,route,host,table");
  EXPECT_EQ(all(request, "x-set"), "host");
  EXPECT_EQ(all(request, "x-gone"), "-");
  EXPECT_EQ(all(request, "x-if"), "mine");
  EXPECT_EQ(all(request, "x-old"), "-");
  EXPECT_EQ(all(request, "x-empty"), "-");
  http::HeaderMap response;
  route.apply_response_headers(nullptr, response, request, StreamInfo());
  EXPECT_EQ(all(response, "x-from"), "/p");
}

TEST(Route, LetsTheMostSpecificLevelWinIfToldTo) {
  auto table = make_table(std::string("most_specific_header_mutations_wins: true ") + kLevels);
  auto request = make_request("h", "/p");
  const Route& route = only_route(*table, request);
  route.apply_request_headers(route.clusters[0], request, StreamInfo());
  EXPECT_EQ(all(request, "x-set"), "route");
}

TEST(Route, ReadsItsActionWhole) {
  auto table = make_routes(
      "include_request_attempt_count: true routes { name: 'r' match { prefix: '/' } decorator { "
      "operation: 'op' }"
      " route { cluster: 'c' timeout { seconds: 3 } idle_timeout { nanos: 500000 } priority: HIGH"
      " max_grpc_timeout { seconds: 4 } host_rewrite_literal: 'h.test' "
      "cluster_not_found_response_code: NOT_FOUND"
      " metadata_match { filter_metadata { key: 'envoy.lb' value { fields { key: 'v' value { "
      "string_value: '1' } } } } }"
      " upgrade_configs { upgrade_type: 'WebSocket' }"
      " request_mirror_policies { cluster: 'm' disable_shadow_host_suffix_append: true "
      "runtime_fraction {"
      "  default_value { numerator: 5 denominator: MILLION } } }"
      " retry_policy { retry_on: 'connect-failure, 5xx,unknown' num_retries { value: 2 }"
      "  retriable_status_codes: 503 retry_host_predicate { name: "
      "'envoy.retry_host_predicates.previous_hosts' }"
      "  host_selection_retry_max_attempts: 5 per_try_timeout { seconds: 1 } } } }");
  const Route& route = only_route(*table, make_request("h", "/"));
  EXPECT_EQ(route.timeout, std::chrono::milliseconds(3000));
  EXPECT_EQ(route.idle_timeout, std::chrono::milliseconds(1));
  EXPECT_EQ(route.max_grpc_timeout, std::chrono::milliseconds(4000));
  EXPECT_EQ(route.priority, 1u);
  EXPECT_EQ(route.cluster_not_found_status, 404);
  EXPECT_EQ(route.operation, "op");
  EXPECT_TRUE(route.include_attempt_count);
  EXPECT_EQ(route.upgrades, std::vector<std::string>{"websocket"});
  EXPECT_EQ(route.clusters[0].metadata_match[0], (std::pair<std::string, std::string>("v", "1")));
  EXPECT_EQ(route.rewritten_host(route.clusters[0], make_request("h", "/")), "h.test");
  EXPECT_TRUE(route.mirrors[0].disable_host_suffix);
  EXPECT_EQ(route.mirrors[0].denominator, 1'000'000u);
  EXPECT_EQ(route.retry->retry_on, kRetryConnectFailure | kRetry5xx);
  EXPECT_EQ(route.retry->num_retries, 2u);
  EXPECT_TRUE(route.retry->previous_hosts);
  EXPECT_EQ(route.retry->host_selection_max_attempts, 5u);
  EXPECT_EQ(route.retry->per_try_timeout, std::chrono::milliseconds(1000));
  EXPECT_EQ(route.retry->retriable_status_codes, std::vector<uint32_t>{503});
}

TEST(Route, InheritsTheVirtualHostsRetryPolicy) {
  auto table = make_routes(
      "retry_policy { retry_on: 'reset' } routes { match { prefix: '/' } route { cluster: 'c' } }");
  EXPECT_EQ(only_route(*table, make_request("h", "/")).retry->retry_on, kRetryReset);
}

TEST(Route, FindsFilterConfigsMostSpecificFirst) {
  auto table = make_routes(
      "typed_per_filter_config { key: 'f' value { type_url: 'host' } }"
      "typed_per_filter_config { key: 'g' value { type_url: 'host-g' } }"
      "routes { match { prefix: '/' } typed_per_filter_config { key: 'f' value { type_url: 'route' "
      "} }"
      " typed_per_filter_config { key: 'off' value {"
      "  [type.googleapis.com/envoy.config.route.v3.FilterConfig] { disabled: true } } }"
      " route { weighted_clusters { clusters { name: 'a' weight { value: 1 }"
      "  typed_per_filter_config { key: 'f' value { type_url: 'cluster' } } } } } }");
  const Route& route = only_route(*table, make_request("h", "/"));
  const auto text = [](const void* config) { return *static_cast<const std::string*>(config); };
  EXPECT_EQ(text(route.filter_config("f", nullptr)), "route");
  EXPECT_EQ(text(route.filter_config("f", &route.clusters[0])), "cluster");
  EXPECT_EQ(text(route.filter_config("g", &route.clusters[0])), "host-g");
  EXPECT_EQ(route.filter_config("h", nullptr), nullptr);
  EXPECT_TRUE(route.filter_disabled("off", nullptr));
  EXPECT_FALSE(route.filter_disabled("f", nullptr));
}

}  // namespace
}  // namespace sennit::proxy

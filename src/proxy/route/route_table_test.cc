#include "proxy/route/route_table.h"

#include "proxy/route/test_routes.h"

namespace sennit::proxy {
namespace {

std::string host(const char* domains) {
  std::string name(domains);
  return "virtual_hosts { name: '" + name + "' domains: '" + name + "' routes { name: '" + name +
         "' match { prefix: '/' } route { cluster: 'c' } } } ";
}

TEST(RouteTable, FindsTheMostSpecificDomain) {
  auto table = make_table(host("a.test") + host("*.test") + host("*.b.test") + host("a.*") +
                          host("a.b.*") + host("*"));
  const std::pair<const char*, const char*> cases[] = {
      {"a.test", "a.test"}, {"A.TEST", "a.test"},
      {"x.test", "*.test"}, {"x.b.test", "*.b.test"},
      {"a.org", "a.*"},     {"a.b.org", "a.b.*"},
      {".test", "*"},       {"other", "*"},
      {"a.test:80", "a.*"}, {"", "*"},
  };
  for (const auto& [authority, expected] : cases) {
    EXPECT_EQ(route_of(*table, make_request(authority, "/")), expected) << authority;
  }
}

TEST(RouteTable, MatchesPortsOnlyIfToldTo) {
  auto exact = make_table(host("a:80") + host("a"));
  EXPECT_EQ(route_of(*exact, make_request("a:80", "/")), "a:80");
  EXPECT_EQ(route_of(*exact, make_request("a:81", "/")), "-");
  auto ignoring = make_table("ignore_port_in_host_matching: true " + host("a") + host("[::1]"));
  EXPECT_EQ(route_of(*ignoring, make_request("a:81", "/")), "a");
  EXPECT_EQ(route_of(*ignoring, make_request("[::1]:81", "/")), "[::1]");
}

TEST(RouteTable, TakesTheFirstRouteThatMatches) {
  auto table = make_routes(
      "routes { name: 'one' match { prefix: '/a' } route { cluster: 'c' } }"
      "routes { name: 'two' match { prefix: '/a/b' } route { cluster: 'c' } }");
  EXPECT_EQ(route_of(*table, make_request("h", "/a/b")), "one");
  EXPECT_EQ(route_of(*table, make_request("h", "/b")), "-");
}

TEST(RouteTable, SendsPlaintextToHttpsWhereTlsIsRequired) {
  auto table = make_table(
      "virtual_hosts { name: 'v' domains: '*' require_tls: ALL"
      " routes { name: 'r' match { prefix: '/' } route { cluster: 'c' } } }");
  auto plain = make_request("a.test:80", "/x?y", {{"x-forwarded-proto", "http"}});
  const Route* route = table->match(plain, StreamInfo(), 0);
  ASSERT_TRUE(route->redirect);
  EXPECT_EQ(route->redirect->location(plain), "https://a.test:80/x?y");
  EXPECT_EQ(route_of(*table, make_request("a", "/", {{"x-forwarded-proto", "https"}})), "r");
}

TEST(RouteTable, NamesTheClustersItRefersTo) {
  auto table = make_routes(
      "routes { match { prefix: '/a' } route { cluster: 'b' request_mirror_policies { cluster: 'm' "
      "} } }"
      "routes { match { prefix: '/' } route { weighted_clusters { clusters { name: 'a' weight { "
      "value: 1 } }"
      " clusters { name: 'b' weight { value: 2 } } } } }");
  EXPECT_EQ(table->clusters(), (std::vector<std::string>{"a", "b", "m"}));
}

TEST(RouteTable, RefusesByTheFullPathOfTheField) {
  const std::string route_a = "virtual_hosts { name: 'a' domains: 'a' routes { match { ";
  const std::pair<std::string, std::string> cases[] = {
      {route_a + "prefix: '/' } route { cluster: 'c' rate_limits {} } } }",
       "virtual_hosts[0].routes[0].route.rate_limits: is not supported"},
      {route_a + "safe_regex { regex: '(' } } route { cluster: 'c' } } }",
       "virtual_hosts[0].routes[0].match.safe_regex: regex \"(\": missing ): ("},
      {route_a + "prefix: '/' dynamic_metadata {} } route { cluster: 'c' } } }",
       "virtual_hosts[0].routes[0].match.dynamic_metadata: is not supported"},
      {route_a + "prefix: '/' } route { cluster: 'c' internal_redirect_policy {} } } }",
       "virtual_hosts[0].routes[0].route.internal_redirect_policy: is not supported"},
      {"vhds {}", "vhds: is not supported"},
      {host("a") + "virtual_hosts { name: 'b' domains: 'A' }",
       "virtual_hosts[1].domains[0]: \"A\" is already the domain of another virtual host"},
      {route_a + "prefix: '/' } direct_response { status: 99 } } }",
       "virtual_hosts[0].routes[0].direct_response.status: 99 is not within 200 and 599"},
      {route_a +
           "prefix: '/' } route { cluster: 'c' } request_headers_to_add { header { key: 'a' value: "
           "'%NOPE%' } } } }",
       "virtual_hosts[0].routes[0].request_headers_to_add[0].header.value: %NOPE%: is not "
       "supported"},
      {route_a + "prefix: '/' } route { weighted_clusters { clusters { name: 'c' } } } } }",
       "virtual_hosts[0].routes[0].route.weighted_clusters.clusters: the weights sum up to 0"},
  };
  for (const auto& [text, message] : cases) {
    auto table = parse_table(text);
    ASSERT_FALSE(table) << text;
    EXPECT_EQ(table.error().message, message);
  }
}

}  // namespace
}  // namespace sennit::proxy

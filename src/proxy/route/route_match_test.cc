#include "proxy/route/test_routes.h"

namespace sennit::proxy {
namespace {

// One route named "hit" with the match given, whose action does not matter here.
bool hits(const std::string& match, const std::string& path, Fields fields = {},
          uint64_t random = 0) {
  auto table = make_routes("routes { name: 'hit' match {" + match + "} route { cluster: 'c' } }");
  return route_of(*table, make_request("a", path, fields), random) == "hit";
}

TEST(RouteMatch, MatchesPathsWithoutTheirQuery) {
  struct {
    const char *match, *path;
    bool expected;
  } const cases[] = {
      {"prefix: '/a'", "/a", true},
      {"prefix: '/a'", "/ab?x", true},
      {"prefix: '/a'", "/A", false},
      {"prefix: '/a' case_sensitive { value: false }", "/AB", true},
      {"prefix: '/a'", "/b/a", false},
      {"path: '/a'", "/a?b=c", true},
      {"path: '/a'", "/a#b", true},
      {"path: '/a'", "/a/", false},
      {"path: '/a' case_sensitive { value: false }", "/A", true},
      {"path_separated_prefix: '/a'", "/a", true},
      {"path_separated_prefix: '/a'", "/a/b", true},
      {"path_separated_prefix: '/a'", "/ab", false},
      {"safe_regex { regex: '/[0-9]+' }", "/12?x", true},
      {"safe_regex { regex: '/[0-9]+' }", "/12/x", false},
      {"safe_regex { regex: '/a' } case_sensitive { value: false }", "/A", false},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(hits(test.match, test.path), test.expected) << test.match << " on " << test.path;
  }
}

TEST(RouteMatch, TakesTheFirstValueOfAQueryParameterUndecoded) {
  const std::string exact =
      "prefix: '/' query_parameters { name: 'v' string_match { exact: '2' } }";
  EXPECT_TRUE(hits(exact, "/?v=2"));
  EXPECT_TRUE(hits(exact, "/?a=b&v=2&v=3"));
  EXPECT_FALSE(hits(exact, "/?v=3&v=2"));
  EXPECT_FALSE(hits(exact, "/?v=%32"));
  EXPECT_FALSE(hits(exact, "/"));
  const std::string present = "prefix: '/' query_parameters { name: 'v' present_match: true }";
  EXPECT_TRUE(hits(present, "/?v"));
  EXPECT_TRUE(hits(present, "/?v="));
  EXPECT_FALSE(hits(present, "/?w=v"));
}

TEST(RouteMatch, NeedsAllHeadersToMatch) {
  const std::string both =
      "prefix: '/' headers { name: 'x-a' string_match { exact: '1' } } headers { name: 'x-b' }";
  EXPECT_TRUE(hits(both, "/", {{"x-a", "1"}, {"x-b", ""}}));
  EXPECT_FALSE(hits(both, "/", {{"x-a", "1"}}));
}

TEST(RouteMatch, DrawsRuntimeFractions) {
  const std::string tenth =
      "prefix: '/' runtime_fraction { default_value { numerator: 10 } runtime_key: 'k' }";
  EXPECT_TRUE(hits(tenth, "/", {}, 109));
  EXPECT_FALSE(hits(tenth, "/", {}, 110));
}

TEST(RouteMatch, TellsGrpcByItsContentType) {
  EXPECT_TRUE(hits("prefix: '/' grpc {}", "/", {{"content-type", "application/grpc+proto"}}));
  EXPECT_FALSE(hits("prefix: '/' grpc {}", "/", {{"content-type", "application/grpc-web"}}));
  EXPECT_FALSE(hits("prefix: '/' grpc {}", "/"));
}

TEST(RouteMatch, MatchesByClientCertificate) {
  auto table = make_routes(
      "routes { name: 'mtls' match { prefix: '/' tls_context { presented { value: true } } }"
      " route { cluster: 'c' } }");
  net::TlsInfo tls;
  tls.peer_certificate_presented = true;
  DownstreamInfo downstream;
  StreamInfo info;
  info.downstream = &downstream;
  const auto request = make_request("a", "/");
  EXPECT_EQ(table->match(request, info, 0), nullptr);
  downstream.tls = &tls;
  EXPECT_NE(table->match(request, info, 0), nullptr);
}

}  // namespace
}  // namespace sennit::proxy

// Requests and responses on their way through: bodies, trailers, protocols, connections.
#include <gmock/gmock.h>

#include "proxy/stream/test_proxy.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;
using http::Message;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kToBackend = "[{match: {prefix: /}, route: {cluster: backend}}]";

void answer_with_body(Message& request, std::string_view body) {
  request.response->encode_headers(http::response_head("200"), false);
  request.response->encode_data(body, true);
}

class Proxying : public ProxyTest {
 protected:
  void to_http1() {
    add_cluster("backend", http1_.port());
    configure(kToBackend);
  }
  void to_http2() {
    add_cluster("backend", http2_.port(), kHttp2Cluster);
    configure(kToBackend);
  }
  Upstream http1_{loop_, http::Protocol::Http11};
  Upstream http2_{loop_, http::Protocol::Http2};
};

TEST_F(Proxying, PassesAGetAndItsAnswer) {
  to_http1();
  http1_.answer = [](Message& request) { answer_with_body(request, "hello"); };
  const std::string answer = get("/path?query");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("hello"));
  EXPECT_THAT(answer, HasSubstr("server: envoy\r\n"));
  EXPECT_THAT(answer, HasSubstr("x-envoy-upstream-service-time: "));
  ASSERT_EQ(http1_.requests().size(), 1u);
  const auto& head = http1_.requests()[0]->headers;
  EXPECT_EQ(head.path(), "/path?query");
  EXPECT_EQ(head.authority(), "a.example");
  EXPECT_EQ(head.get(HeaderId::XForwardedProto), "http");
  EXPECT_EQ(head.get(HeaderId::XEnvoyAttemptCount), "1");
  EXPECT_TRUE(head.has(HeaderId::XRequestId));
}

TEST_F(Proxying, PassesBodiesBothWays) {
  to_http1();
  http1_.answer = [](Message& request) { answer_with_body(request, "<" + request.body + ">"); };
  auto client = connect();
  const std::string answer =
      exchange(*client,
               "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
               "5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n",
               "0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("<firstsecond>"));
}

TEST_F(Proxying, KeepsBothConnectionsForTheNextRequest) {
  to_http1();
  auto client = connect();
  exchange(*client, "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n", "\r\n\r\n");
  client->received.clear();
  exchange(*client, "GET /2 HTTP/1.1\r\nhost: a\r\n\r\n", "\r\n\r\n");
  EXPECT_EQ(http1_.connections(), 1u);
  EXPECT_EQ(http1_.requests().size(), 2u);
  EXPECT_FALSE(client->gone);
}

TEST_F(Proxying, AnswersAPipelineInOrder) {
  to_http1();
  http1_.answer = [](Message& request) {
    answer_with_body(request, std::string(request.headers.path()));
  };
  auto client = connect();
  client->write(
      "GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n"
      "GET /3 HTTP/1.1\r\nhost: a\r\n\r\n");
  ASSERT_TRUE(until([&] { return client->received.find("/3") != std::string::npos; }));
  EXPECT_LT(client->received.find("/1"), client->received.find("/2"));
  EXPECT_LT(client->received.find("/2"), client->received.find("/3"));
}

TEST_F(Proxying, CarriesGrpcTrailersFromHttp2ToHttp2) {
  to_http2();
  http2_.answer = [](Message& request) {
    request.response->encode_headers(http::response_head("200"), false);
    request.response->encode_data("message", false);
    http::HeaderMap trailers;
    trailers.add(HeaderId::GrpcStatus, "5");
    request.response->encode_trailers(trailers);
  };
  auto client = connect();
  use_http2(*client);
  Message response;
  auto& encoder = client->client->new_stream(response);
  auto head = http::request_head("POST", "/service/method");
  head.add(HeaderId::ContentType, "application/grpc");
  head.add(HeaderId::Te, "trailers");
  encoder.encode_headers(head, false);
  encoder.encode_data("request", true);
  ASSERT_TRUE(until([&] { return response.ended; }));
  EXPECT_EQ(response.body, "message");
  EXPECT_EQ(response.trailers.get(HeaderId::GrpcStatus), "5");
  ASSERT_EQ(http2_.requests().size(), 1u);
  EXPECT_EQ(http2_.requests()[0]->headers.get(HeaderId::Te), "trailers");
  EXPECT_EQ(http2_.requests()[0]->body, "request");
}

TEST_F(Proxying, CarriesManyStreamsOverOneConnectionEachWay) {
  to_http2();
  http2_.answer = [](Message& request) {
    answer_with_body(request, std::string(request.headers.path()));
  };
  auto client = connect();
  use_http2(*client);
  constexpr int kStreams = 50;
  std::vector<Message> responses(kStreams);
  for (int i = 0; i < kStreams; ++i) {
    client->client->new_stream(responses[i])
        .encode_headers(http::request_head("GET", fmt::format("/{}", i)), true);
  }
  ASSERT_TRUE(until(
      [&] { return std::ranges::all_of(responses, [](const Message& r) { return r.ended; }); }));
  for (int i = 0; i < kStreams; ++i) EXPECT_EQ(responses[i].body, fmt::format("/{}", i));
  EXPECT_EQ(http2_.connections(), 1u);
}

TEST_F(Proxying, PassesA100ContinueByItself) {
  to_http1();
  auto client = connect();
  exchange(*client,
           "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n",
           "100 Continue");
  EXPECT_THAT(client->received, StartsWith("HTTP/1.1 100 Continue\r\n"));
  EXPECT_THAT(exchange(*client, "ok", " 200 "), HasSubstr("HTTP/1.1 200 OK"));
  ASSERT_EQ(http1_.requests().size(), 1u);
  EXPECT_FALSE(http1_.requests()[0]->headers.has(HeaderId::Expect));
}

TEST_F(Proxying, RemovesWhatConnectionNames) {
  to_http1();
  get("/", "x-hop: 1\r\nconnection: x-hop\r\n");
  ASSERT_EQ(http1_.requests().size(), 1u);
  EXPECT_FALSE(http1_.requests()[0]->headers.get("x-hop"));
}

TEST_F(Proxying, RewritesPathAndHost) {
  add_cluster("backend", http1_.port());
  configure(
      "[{match: {prefix: /old}, route: {cluster: backend, prefix_rewrite: /new, "
      "host_rewrite_literal: b.example}}]");
  get("/old/x");
  ASSERT_EQ(http1_.requests().size(), 1u);
  const auto& head = http1_.requests()[0]->headers;
  EXPECT_EQ(head.path(), "/new/x");
  EXPECT_EQ(head.authority(), "b.example");
  EXPECT_EQ(head.get(HeaderId::XEnvoyOriginalPath), "/old/x");
}

TEST_F(Proxying, RedirectsAndAnswersDirectly) {
  configure(
      "[{match: {path: /moved}, redirect: {path_redirect: /here}}, "
      "{match: {path: /direct}, direct_response: {status: 418, body: {inline_string: teapot}}}]");
  EXPECT_THAT(get("/moved"), HasSubstr("HTTP/1.1 301 Moved Permanently\r\nlocation: "
                                       "http://a.example/here\r\n"));
  const std::string direct = get("/direct");
  EXPECT_THAT(direct, StartsWith("HTTP/1.1 418 "));
  EXPECT_THAT(direct, EndsWith("\r\n\r\nteapot"));
}

TEST_F(Proxying, MirrorsToAnotherClusterUnderAShadowName) {
  Upstream shadow(loop_, http::Protocol::Http11);
  add_cluster("backend", http1_.port());
  add_cluster("copy", shadow.port());
  configure(
      "[{match: {prefix: /}, route: {cluster: backend, request_mirror_policies: "
      "[{cluster: copy}]}}]");
  auto client = connect();
  exchange(*client, "POST / HTTP/1.1\r\nhost: a:80\r\ncontent-length: 4\r\n\r\nbody", "\r\n\r\n");
  ASSERT_TRUE(until([&] { return shadow.requests().size() == 1 && shadow.requests()[0]->ended; }));
  EXPECT_EQ(shadow.requests()[0]->body, "body");
  EXPECT_EQ(shadow.requests()[0]->headers.authority(), "a-shadow:80");
  EXPECT_EQ(http1_.requests()[0]->headers.authority(), "a:80");
}

TEST_F(Proxying, AMirrorThatFailsIsNotSeen) {
  add_cluster("backend", http1_.port());
  uint16_t closed_port;
  {
    Upstream gone(loop_, http::Protocol::Http11);
    closed_port = gone.port();
  }
  add_cluster("copy", closed_port);
  configure(
      "[{match: {prefix: /}, route: {cluster: backend, request_mirror_policies: "
      "[{cluster: copy}, {cluster: unknown}]}}]");
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Proxying, SkipsAFilterThatTheRouteDisables) {
  add_cluster("backend", http1_.port());
  hcm_ = make_hcm(R"(
stat_prefix: test
route_config:
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
    - match: {path: /open}
      route: {cluster: backend}
      typed_per_filter_config:
        deny:
          "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig
          disabled: true
    - {match: {prefix: /}, route: {cluster: backend}}
http_filters:
- name: deny
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
    rules: {action: ALLOW}
- name: envoy.filters.http.router
  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
)");
  EXPECT_THAT(get("/closed"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(get("/open"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Proxying, CountsWhatHappened) {
  to_http1();
  get("/");
  EXPECT_TRUE(until([&] { return all_served_gone(); }));
  EXPECT_EQ(counter("http.test.downstream_cx_total"), 1u);
  EXPECT_EQ(counter("http.test.downstream_cx_destroy"), 1u);
  EXPECT_EQ(counter("http.test.downstream_rq_total"), 1u);
  EXPECT_EQ(counter("http.test.downstream_rq_completed"), 1u);
  EXPECT_EQ(counter("http.test.downstream_rq_2xx"), 1u);
  EXPECT_EQ(counter("cluster.backend.upstream_rq_200") + counter("cluster.backend.upstream_rq_2xx"),
            1u);
}

}  // namespace
}  // namespace sennit::proxy

#include <gtest/gtest.h>

#include "proxy/stream/details.h"
#include "proxy/stream/forwarded_client_cert.h"
#include "proxy/stream/request_head.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;
using http::HeaderMap;

HeaderMap get(std::string_view path = "/") {
  HeaderMap headers;
  headers.add(HeaderId::Method, "GET");
  headers.add(HeaderId::Path, path);
  headers.add(HeaderId::Authority, "a.example");
  return headers;
}

class RequestHeadTest : public testing::Test {
 protected:
  RequestHeadTest() {
    downstream.remote_address = *net::Address::ip("192.0.2.7", 4321);
    downstream.local_address = *net::Address::ip("10.0.0.1", 8080);
  }
  void mark(HeaderMap& request) { mark_forwarded(settings, request, downstream, {}, random, head); }
  std::optional<HeadRefusal> check(HeaderMap& request) {
    return check_head(settings, request, downstream, head);
  }

  stats::Registry registry;
  HcmSettings settings{registry, "test"};
  DownstreamInfo downstream;
  Random random{1};
  RequestHead head;
};

TEST_F(RequestHeadTest, AppendsTheClientToXffWhenItIsAnEdge) {
  settings.use_remote_address = true;
  HeaderMap request = get();
  request.add(HeaderId::XForwardedFor, "203.0.113.1");
  mark(request);
  EXPECT_EQ(request.get(HeaderId::XForwardedFor), "203.0.113.1,192.0.2.7");
  EXPECT_FALSE(head.client);
}

TEST_F(RequestHeadTest, LeavesXffAloneWhenTheHopBeforeIsTrusted) {
  HeaderMap request = get();
  request.add(HeaderId::XForwardedFor, "203.0.113.1, 203.0.113.2");
  mark(request);
  EXPECT_EQ(request.get(HeaderId::XForwardedFor), "203.0.113.1, 203.0.113.2");
  ASSERT_TRUE(head.client);
  EXPECT_EQ(head.client->ip_string(), "203.0.113.2");
}

TEST_F(RequestHeadTest, CountsTrustedHopsFromTheEndOfXff) {
  bool single = false;
  EXPECT_EQ(address_from_xff("1.1.1.1, 2.2.2.2, 3.3.3.3", 1, single)->ip_string(), "2.2.2.2");
  EXPECT_FALSE(single);
  EXPECT_FALSE(address_from_xff("1.1.1.1", 1, single));
  EXPECT_TRUE(single);
  EXPECT_FALSE(address_from_xff("nonsense", 0, single));
  EXPECT_EQ(address_from_xff("::1", 0, single)->ip_string(), "::1");
}

TEST_F(RequestHeadTest, OverwritesForwardedProtoOfAnUntrustedClient) {
  settings.use_remote_address = true;
  HeaderMap request = get();
  request.add(HeaderId::XForwardedProto, "https");
  mark(request);
  EXPECT_EQ(request.get(HeaderId::XForwardedProto), "http");
  EXPECT_EQ(request.scheme(), "http");
}

TEST_F(RequestHeadTest, BelievesForwardedProtoOfATrustedHop) {
  HeaderMap request = get();
  request.add(HeaderId::XForwardedProto, "https");
  mark(request);
  EXPECT_EQ(request.get(HeaderId::XForwardedProto), "https");
  EXPECT_EQ(request.scheme(), "https");
}

TEST_F(RequestHeadTest, IgnoresInstructionsToTheRouterFromOutside) {
  HeaderMap request = get();
  request.add("x-envoy-upstream-rq-timeout-ms", "1");
  request.add(HeaderId::XEnvoyRetryOn, "5xx");
  request.add("x-envoy-max-retries", "9");
  request.add("x-other", "stays");
  mark(request);
  EXPECT_FALSE(request.get("x-envoy-upstream-rq-timeout-ms"));
  EXPECT_FALSE(request.has(HeaderId::XEnvoyRetryOn));
  EXPECT_FALSE(request.get("x-envoy-max-retries"));
  EXPECT_EQ(request.get("x-other"), "stays");
}

TEST_F(RequestHeadTest, KeepsInstructionsOfAnInternalCaller) {
  settings.use_remote_address = true;
  settings.internal_ranges.push_back(*net::Cidr::parse("192.0.2.0/24"));
  HeaderMap request = get();
  request.add(HeaderId::XEnvoyRetryOn, "5xx");
  mark(request);
  EXPECT_TRUE(request.has(HeaderId::XEnvoyRetryOn));
  EXPECT_EQ(request.get(HeaderId::XEnvoyInternal), "true");
}

TEST_F(RequestHeadTest, MakesARequestIdWhereThereIsNone) {
  HeaderMap request = get();
  mark(request);
  const std::string id(*request.get(HeaderId::XRequestId));
  ASSERT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
  HeaderMap other = get();
  mark(other);
  EXPECT_NE(id, *other.get(HeaderId::XRequestId));
}

TEST_F(RequestHeadTest, KeepsTheRequestIdOnlyOfATrustedHop) {
  HeaderMap inner = get();
  inner.add(HeaderId::XRequestId, "mine");
  mark(inner);
  EXPECT_EQ(inner.get(HeaderId::XRequestId), "mine");
  settings.use_remote_address = true;
  HeaderMap edge = get();
  edge.add(HeaderId::XRequestId, "mine");
  mark(edge);
  EXPECT_NE(edge.get(HeaderId::XRequestId), "mine");
}

TEST_F(RequestHeadTest, RemovesHopByHopFieldsAndThoseThatConnectionNames) {
  HeaderMap request = get();
  request.add(HeaderId::Connection, "close, X-Private");
  request.add(HeaderId::KeepAlive, "timeout=5");
  request.add("x-private", "1");
  request.add(HeaderId::Te, "gzip, trailers");
  ASSERT_FALSE(check(request));
  EXPECT_FALSE(request.has(HeaderId::Connection));
  EXPECT_FALSE(request.has(HeaderId::KeepAlive));
  EXPECT_FALSE(request.get("x-private"));
  EXPECT_EQ(request.get(HeaderId::Te), "trailers");
}

TEST_F(RequestHeadTest, RefusesARequestWithoutHostOrPath) {
  HeaderMap no_host;
  no_host.add(HeaderId::Method, "GET");
  no_host.add(HeaderId::Path, "/");
  EXPECT_EQ(check(no_host)->status, 400);
  HeaderMap relative = get("relative");
  EXPECT_EQ(check(relative)->status, 404);
}

TEST_F(RequestHeadTest, StripsTheListenersPortAndTheTrailingDot) {
  settings.strip_port = StripPort::Matching;
  settings.strip_trailing_host_dot = true;
  HeaderMap request = get();
  request.set(HeaderId::Authority, "a.example.:8080");
  ASSERT_FALSE(check(request));
  EXPECT_EQ(request.authority(), "a.example");
  request.set(HeaderId::Authority, "a.example:9090");
  ASSERT_FALSE(check(request));
  EXPECT_EQ(request.authority(), "a.example:9090");
}

TEST_F(RequestHeadTest, RefusesOrDropsHeadersWithUnderscoresAsConfigured) {
  settings.underscore_headers = UnderscoreHeaders::Reject;
  HeaderMap request = get();
  request.add("x_y", "1");
  EXPECT_EQ(check(request)->status, 400);
  settings.underscore_headers = UnderscoreHeaders::Drop;
  EXPECT_FALSE(check(request));
  EXPECT_FALSE(request.get("x_y"));
}

class ClientCertTest : public testing::Test {
 protected:
  ClientCertTest() {
    tls.peer_certificate_presented = true;
    tls.peer_uri_sans = {"spiffe://d/ns/a/sa/client"};
    tls.local_uri_sans = {"spiffe://d/ns/a/sa/server"};
    tls.peer_certificate_sha256 = "abc";
    tls.peer_subject = "CN=\"x\"";
    tls.peer_certificate_pem = "-----BEGIN A-----\nx+/=\n";
  }
  std::string forward(ForwardClientCert mode, std::string_view sent = "Hash=old") {
    HeaderMap request;
    if (!sent.empty()) request.add(HeaderId::XForwardedClientCert, sent);
    forward_client_cert(mode, &tls, "Hash=new", request);
    return std::string(request.get(HeaderId::XForwardedClientCert).value_or("(none)"));
  }
  net::TlsInfo tls;
};

TEST_F(ClientCertTest, NamesBothEndsAndTheDetailsAskedFor) {
  EXPECT_EQ(client_cert_element(tls, {.subject = true, .uri = true}),
            "By=spiffe://d/ns/a/sa/server;Hash=abc;Subject=\"CN=\\\"x\\\"\";"
            "URI=spiffe://d/ns/a/sa/client");
}

TEST_F(ClientCertTest, EncodesTheCertificate) {
  tls.local_uri_sans.clear();
  EXPECT_EQ(client_cert_element(tls, {.cert = true}),
            "Hash=abc;Cert=\"-----BEGIN%20A-----%0Ax%2B%2F%3D%0A\"");
}

TEST_F(ClientCertTest, EachModeTreatsWhatTheClientSentInItsWay) {
  EXPECT_EQ(forward(ForwardClientCert::Sanitize), "(none)");
  EXPECT_EQ(forward(ForwardClientCert::ForwardOnly), "Hash=old");
  EXPECT_EQ(forward(ForwardClientCert::AppendForward), "Hash=old,Hash=new");
  EXPECT_EQ(forward(ForwardClientCert::AppendForward, ""), "Hash=new");
  EXPECT_EQ(forward(ForwardClientCert::SanitizeSet), "Hash=new");
  EXPECT_EQ(forward(ForwardClientCert::AlwaysForwardOnly), "Hash=old");
}

TEST_F(ClientCertTest, WithoutMutualTlsOnlyAlwaysForwardKeepsTheHeader) {
  tls.peer_certificate_presented = false;
  EXPECT_EQ(forward(ForwardClientCert::AppendForward), "(none)");
  EXPECT_EQ(forward(ForwardClientCert::ForwardOnly), "(none)");
  EXPECT_EQ(forward(ForwardClientCert::AlwaysForwardOnly), "Hash=old");
}

}  // namespace
}  // namespace sennit::proxy

// What goes wrong, and what clients and operators are told: statuses, flags, retries, timeouts.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

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

class Failures : public ProxyTest {
 protected:
  // A port where nobody listens.
  uint16_t closed_port() { return Upstream(loop_, http::Protocol::Http11).port(); }
  // The response's flags and details go into this field.
  static constexpr std::string_view kTellFlags = R"(
local_reply_config:
  body_format: {text_format: "%LOCAL_REPLY_BODY%|%RESPONSE_FLAGS%|%RESPONSE_CODE_DETAILS%"}
)";
  void answer_statuses(std::vector<std::string> statuses) {
    backend_.answer = [this, statuses](Message& request) {
      const size_t index = std::min(answered_++, statuses.size() - 1);
      request.response->encode_headers(http::response_head(statuses[index]), true);
    };
  }
  Upstream backend_{loop_, http::Protocol::Http11};
  size_t answered_ = 0;
};

TEST_F(Failures, NoRouteIs404) {
  configure("[{match: {path: /only}, direct_response: {status: 200}}]", kTellFlags);
  const std::string answer = get("/other");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(answer, EndsWith("|NR|route_not_found"));
}

TEST_F(Failures, NoClusterIs503) {
  configure(kToBackend, kTellFlags);
  const std::string answer = get("/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, EndsWith("|NC|cluster_not_found"));
}

TEST_F(Failures, NoHostIs503) {
  add_cluster_with("backend", "[]", "");
  configure(kToBackend, kTellFlags);
  const std::string answer = get("/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, EndsWith("no healthy upstream|UH|no_healthy_upstream"));
}

TEST_F(Failures, ARefusedConnectionIs503) {
  add_cluster("backend", closed_port());
  configure(kToBackend, kTellFlags);
  const std::string answer = get("/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer,
              HasSubstr("upstream connect error or disconnect/reset before headers. reset reason: "
                        "remote connection failure, transport failure reason: "));
  EXPECT_THAT(answer, HasSubstr("|UF|upstream_reset_before_response_started{"
                                "remote_connection_failure|"));
}

TEST_F(Failures, AnOpenCircuitBreakerIs503) {
  add_cluster("backend", backend_.port(),
              "circuit_breakers: {thresholds: [{max_connections: 1, max_pending_requests: 0}]}");
  configure(kToBackend, kTellFlags);
  const std::string answer = get("/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("x-envoy-overloaded: true\r\n"));
  EXPECT_THAT(answer, EndsWith("|UO|upstream_reset_before_response_started{overflow}"));
}

TEST_F(Failures, AnUpstreamThatClosesBeforeItAnswersIs503) {
  backend_.answer = [this](Message&) {
    backend_.connection(0).connection->close(net::CloseType::NoFlush);
  };
  add_cluster("backend", backend_.port());
  configure(kToBackend, kTellFlags);
  const std::string answer = get("/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer,
              EndsWith("|UC|upstream_reset_before_response_started{connection_termination}"));
}

TEST_F(Failures, AResponseThatBreaksOffIsNotMadeToLookWhole) {
  backend_.answer = [](Message& request) {
    request.response->encode_headers(http::response_head("200"), false);
    request.response->encode_data("half", false);
  };
  add_cluster("backend", backend_.port());
  configure(kToBackend);
  auto client = connect();
  exchange(*client, "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "half");
  backend_.connection(0).connection->close(net::CloseType::NoFlush);
  EXPECT_TRUE(until([&] { return client->gone; }));
  EXPECT_THAT(client->received, HasSubstr("half"));
  EXPECT_THAT(client->received, Not(HasSubstr("\r\n0\r\n")));
}

TEST_F(Failures, GrpcCallersGetTheirStatus) {
  configure(kToBackend);
  const std::string answer = get("/", "content-type: application/grpc\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("grpc-status: 14\r\n"));
}

TEST_F(Failures, AMalformedRequestIs400) {
  configure(kToBackend);
  auto client = connect();
  EXPECT_THAT(exchange(*client, "GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n", "\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(until([&] { return client->gone; }));
}

TEST_F(Failures, AnUpgradeThatIsNotConfiguredIs403) {
  add_cluster("backend", backend_.port());
  configure(kToBackend);
  auto client = connect();
  EXPECT_THAT(exchange(*client,
                       "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n"
                       "upgrade: websocket\r\n\r\n",
                       "\r\n\r\n"),
              StartsWith("HTTP/1.1 403 "));
}

// --- retries ---------------------------------------------------------------------------------

constexpr std::string_view kRetrying =
    "[{match: {prefix: /}, route: {cluster: backend, retry_policy: {retry_on: "
    "'5xx,connect-failure', num_retries: 2, retry_back_off: {base_interval: 0.001s}}}}]";

TEST_F(Failures, ARetryThatSucceedsIsAllThatTheClientSees) {
  answer_statuses({"503", "500", "200"});
  add_cluster("backend", backend_.port());
  configure(kRetrying);
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(backend_.requests().size(), 3u);
  EXPECT_EQ(backend_.requests().back()->headers.get(HeaderId::XEnvoyAttemptCount), "3");
  EXPECT_EQ(counter("cluster.backend.upstream_rq_retry"), 2u);
  EXPECT_EQ(counter("cluster.backend.upstream_rq_retry_success"), 1u);
}

TEST_F(Failures, TheLastAnswerIsPassedOnWhenRetriesRunOut) {
  answer_statuses({"503"});
  add_cluster("backend", backend_.port());
  configure(kRetrying);
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(backend_.requests().size(), 3u);
  EXPECT_EQ(counter("cluster.backend.upstream_rq_retry_limit_exceeded"), 1u);
  EXPECT_EQ(counter("cluster.backend.upstream_rq_retry_success"), 0u);
}

TEST_F(Failures, ARetriedRequestHasItsBodyAgain) {
  answer_statuses({"503", "200"});
  add_cluster("backend", backend_.port());
  configure(kRetrying);
  auto client = connect();
  EXPECT_THAT(
      exchange(*client, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody", "\r\n\r\n"),
      StartsWith("HTTP/1.1 200 "));
  ASSERT_EQ(backend_.requests().size(), 2u);
  EXPECT_EQ(backend_.requests()[1]->body, "body");
}

TEST_F(Failures, ConnectFailuresAreRetriedAndTold) {
  add_cluster("backend", closed_port());
  configure(kRetrying, kTellFlags);
  const std::string answer = get("/");
  EXPECT_THAT(answer, HasSubstr("retried and the latest reset reason: remote connection failure"));
  EXPECT_THAT(answer, HasSubstr("UF"));
  EXPECT_THAT(answer, HasSubstr("URX"));
  EXPECT_EQ(counter("cluster.backend.upstream_cx_connect_fail"), 3u);
}

TEST_F(Failures, ARetriableHeaderIsRetried) {
  backend_.answer = [this](Message& request) {
    auto head = http::response_head("200");
    if (answered_++ == 0) head.add("x-again", "1");
    request.response->encode_headers(head, true);
  };
  add_cluster("backend", backend_.port());
  configure(
      "[{match: {prefix: /}, route: {cluster: backend, retry_policy: {retry_on: retriable-headers, "
      "retriable_headers: [{name: x-again, present_match: true}], "
      "retry_back_off: {base_interval: 0.001s}}}}]");
  get("/");
  EXPECT_EQ(backend_.requests().size(), 2u);
}

TEST_F(Failures, ACallersOwnRetryHeadersAreIgnored) {
  answer_statuses({"503"});
  add_cluster("backend", backend_.port());
  configure(kToBackend);
  get("/", "x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 3\r\n");
  ASSERT_EQ(backend_.requests().size(), 1u);
  EXPECT_FALSE(backend_.requests()[0]->headers.has(HeaderId::XEnvoyRetryOn));
}

// An idle connection that the upstream closes at the moment when a request goes out on it.
TEST_F(Failures, ARequestThatMeetsAClosingIdleConnectionIsSentAgain) {
  backend_.answer = [this](Message& request) {
    if (answered_++ == 1) {
      return backend_.connection(0).connection->close(net::CloseType::NoFlush);
    }
    request.response->encode_headers(http::response_head("200"), true);
  };
  add_cluster("backend", backend_.port());
  configure(kToBackend);
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(backend_.connections(), 2u);
}

// --- timeouts --------------------------------------------------------------------------------

TEST_F(Failures, TheRoutesTimeoutIs504) {
  backend_.answer = [](Message&) {};
  add_cluster("backend", backend_.port());
  configure("[{match: {prefix: /}, route: {cluster: backend, timeout: 0.02s}}]", kTellFlags);
  const std::string answer = get("/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 504 "));
  EXPECT_THAT(answer, EndsWith("upstream request timeout|UT|response_timeout"));
  EXPECT_EQ(counter("cluster.backend.upstream_rq_timeout"), 1u);
  EXPECT_TRUE(until([&] { return backend_.connection(0).gone; }));
}

TEST_F(Failures, ATryThatIsTooSlowIsTriedAgain) {
  backend_.answer = [this](Message& request) {
    if (answered_++ > 0) request.response->encode_headers(http::response_head("200"), true);
  };
  add_cluster("backend", backend_.port());
  configure(
      "[{match: {prefix: /}, route: {cluster: backend, retry_policy: {retry_on: 'reset', "
      "per_try_timeout: 0.02s, retry_back_off: {base_interval: 0.001s}}}}]");
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(backend_.requests().size(), 2u);
  EXPECT_EQ(counter("cluster.backend.upstream_rq_per_try_timeout"), 1u);
}

TEST_F(Failures, ATryThatIsTooSlowAndNotRetriedIs504) {
  backend_.answer = [](Message&) {};
  add_cluster("backend", backend_.port());
  configure(
      "[{match: {prefix: /}, route: {cluster: backend, retry_policy: {retry_on: 'connect-failure', "
      "per_try_timeout: 0.02s}}}]",
      kTellFlags);
  EXPECT_THAT(get("/"), EndsWith("upstream request timeout|UT|upstream_per_try_timeout"));
}

TEST_F(Failures, ARequestThatStallsIs408) {
  add_cluster("backend", backend_.port());
  configure(kToBackend, "stream_idle_timeout: 0.02s");
  auto client = connect();
  EXPECT_THAT(
      exchange(*client, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbo", "timeout"),
      StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(until([&] { return client->gone; }));
}

TEST_F(Failures, AHeadThatComesTooSlowlyIs408) {
  configure(kToBackend, "request_headers_timeout: 0.02s");
  auto client = connect();
  EXPECT_THAT(exchange(*client, "GET / HTTP/1.1\r\nhost:", "timeout"), StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(until([&] { return client->gone; }));
}

TEST_F(Failures, AnIdleConnectionIsClosed) {
  configure(kToBackend, "common_http_protocol_options: {idle_timeout: 0.02s}");
  auto client = connect();
  EXPECT_TRUE(until([&] { return client->gone; }));
  EXPECT_EQ(counter("http.test.downstream_cx_idle_timeout"), 1u);
}

// --- clients that go away --------------------------------------------------------------------

TEST_F(Failures, AClientThatVanishesTakesItsUpstreamRequestAlong) {
  backend_.answer = [](Message&) {};
  add_cluster("backend", backend_.port());
  configure(kToBackend);
  auto client = connect();
  client->write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  ASSERT_TRUE(until([&] { return backend_.requests().size() == 1; }));
  client->connection->close(net::CloseType::NoFlush);
  EXPECT_TRUE(until([&] { return backend_.connection(0).gone && all_served_gone(); }));
  EXPECT_EQ(counter("cluster.backend.upstream_rq_completed"), 0u);
}

TEST_F(Failures, AnHttp2ClientMayTakeOneRequestBack) {
  backend_.answer = [](Message&) {};
  add_cluster("backend", backend_.port());
  configure(kToBackend);
  auto client = connect();
  use_http2(*client);
  Message response;
  auto& encoder = client->client->new_stream(response);
  encoder.encode_headers(http::request_head("GET", "/"), true);
  ASSERT_TRUE(until([&] { return backend_.requests().size() == 1; }));
  encoder.reset(http::ResetReason::LocalReset);
  EXPECT_TRUE(until([&] { return backend_.connection(0).gone; }));
  EXPECT_EQ(counter("http.test.downstream_rq_rx_reset"), 1u);
  EXPECT_FALSE(client->gone);
}

}  // namespace
}  // namespace sennit::proxy

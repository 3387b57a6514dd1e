#include "proxy/upstream/test_upstream.h"

namespace sennit::proxy {
namespace {

using http::Protocol;

class ConnectionPoolTest : public UpstreamTest {};

TEST_F(ConnectionPoolTest, Http1UsesAConnectionAgain) {
  TestServer server(loop_, Protocol::Http11);
  apply(static_cluster(server.address));
  auto first = send();
  ASSERT_TRUE(finish(*first));
  EXPECT_EQ(first->response.headers.status(), 200);
  EXPECT_FALSE(first->reused);
  auto second = send();
  ASSERT_TRUE(finish(*second));
  EXPECT_TRUE(second->reused);
  EXPECT_EQ(server.connections.size(), 1u);
  EXPECT_EQ(stat("upstream_cx_total"), 1);
  EXPECT_EQ(stat("upstream_cx_http1_total"), 1);
  EXPECT_EQ(stat("upstream_rq_total"), 2);
  EXPECT_EQ(stat("upstream_rq_active"), 0);
}

TEST_F(ConnectionPoolTest, Http1ConcurrentRequestsHaveConnectionsOfTheirOwn) {
  TestServer server(loop_, Protocol::Http11);
  server.on_request = nullptr;
  apply(static_cluster(server.address));
  auto first = send(), second = send();
  ASSERT_TRUE(until([&] { return server.requests.size() == 2; }));
  EXPECT_EQ(server.connections.size(), 2u);
  EXPECT_EQ(pick()->active_requests.load(), 2u);
  for (auto* request : server.requests) TestServer::answer(*request);
  ASSERT_TRUE(finish(*first) && finish(*second));
  turn();
  EXPECT_EQ(pick()->active_requests.load(), 0u);
}

TEST_F(ConnectionPoolTest, RequestsWaitInOrderWhereNoMoreConnectionsAreAllowed) {
  TestServer server(loop_, Protocol::Http11);
  server.on_request = nullptr;
  apply(static_cluster(server.address, "circuit_breakers: {thresholds: [{max_connections: 1}]}"));
  auto first = send(), second = send(), third = send();
  ASSERT_TRUE(until([&] { return server.requests.size() == 1; }));
  EXPECT_TRUE(first->ready);
  EXPECT_EQ(stat("upstream_rq_pending_active"), 2);
  EXPECT_EQ(stat("circuit_breakers.default.cx_open"), 1);
  TestServer::answer(*server.requests[0]);
  ASSERT_TRUE(until([&] { return server.requests.size() == 2; }));
  EXPECT_TRUE(second->ready);
  EXPECT_FALSE(third->ready);
  TestServer::answer(*server.requests[1]);
  ASSERT_TRUE(until([&] { return server.requests.size() == 3; }));
  TestServer::answer(*server.requests[2]);
  ASSERT_TRUE(finish(*third));
  EXPECT_EQ(server.connections.size(), 1u);
  EXPECT_EQ(stat("upstream_rq_pending_active"), 0);
}

TEST_F(ConnectionPoolTest, TheQueueEndsAtMaxPendingRequests) {
  TestServer server(loop_, Protocol::Http11);
  server.on_request = nullptr;
  apply(static_cluster(server.address,
                       "circuit_breakers: {thresholds: [{max_connections: 1, "
                       "max_pending_requests: 1}]}"));
  auto first = send();
  ASSERT_TRUE(until([&] { return first->ready; }));
  auto second = send();
  EXPECT_FALSE(second->over());
  EXPECT_EQ(stat("circuit_breakers.default.rq_pending_open"), 1);
  auto third = send();
  EXPECT_EQ(third->failure, PoolFailure::Overflow);
  EXPECT_EQ(stat("upstream_rq_pending_overflow"), 1);
  second->pending.reset();  // given up: there is room again
  EXPECT_EQ(stat("circuit_breakers.default.rq_pending_open"), 0);
  EXPECT_EQ(stat("upstream_rq_cancelled"), 1);
  auto fourth = send();
  EXPECT_FALSE(fourth->over());
}

TEST_F(ConnectionPoolTest, MaxRequestsIsExactOverHttp2) {
  TestServer server(loop_, Protocol::Http2);
  server.on_request = nullptr;
  apply(static_cluster(
      server.address, std::string(kHttp2) + "circuit_breakers: {thresholds: [{max_requests: 2}]}"));
  auto first = send(), second = send();
  ASSERT_TRUE(until([&] { return server.requests.size() == 2; }));
  EXPECT_EQ(stat("circuit_breakers.default.rq_open"), 1);
  auto third = send();
  EXPECT_EQ(third->failure, PoolFailure::Overflow);
  TestServer::answer(*server.requests[0]);
  ASSERT_TRUE(finish(*first));
  EXPECT_EQ(stat("circuit_breakers.default.rq_open"), 0);
  auto fourth = send();
  ASSERT_TRUE(until([&] { return fourth->ready; }));
  EXPECT_EQ(server.connections.size(), 1u);
}

TEST_F(ConnectionPoolTest, PrioritiesHaveBreakersOfTheirOwn) {
  TestServer server(loop_, Protocol::Http11);
  apply(static_cluster(
      server.address,
      "circuit_breakers: {thresholds: [{max_pending_requests: 0}, {priority: HIGH}]}"));
  EXPECT_EQ(send()->failure, PoolFailure::Overflow);
  auto high = send(pick(), {.priority = 1});
  ASSERT_TRUE(finish(*high));
  EXPECT_EQ(high->response.headers.status(), 200);
}

TEST_F(ConnectionPoolTest, ARefusedConnectionFailsTheRequestsThatWait) {
  TestServer server(loop_, Protocol::Http11);
  server.stop_listening();
  apply(static_cluster(server.address));
  auto first = send(), second = send();
  ASSERT_TRUE(finish(*first) && finish(*second));
  EXPECT_EQ(first->failure, PoolFailure::ConnectFailure);
  EXPECT_NE(first->detail.find("Connection refused"), std::string::npos) << first->detail;
  turn();
  EXPECT_GE(stat("upstream_cx_connect_fail"), 1);
  EXPECT_EQ(stat("upstream_cx_active"), 0);
  EXPECT_EQ(stat("upstream_rq_pending_failure_eject"), 2);
}

TEST_F(ConnectionPoolTest, AConnectionThatIsNotMadeInTimeIsATimeout) {
  // A socket whose queue is full takes no more: further connections hang.
  UniqueFd full = std::move(*net::listen_on(*net::Address::ip("127.0.0.1", 0), {.backlog = 0}));
  const net::Address address = net::bound_address(full.get());
  std::vector<UniqueFd> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    connect(fillers.back().get(), address.sockaddr_ptr(), address.sockaddr_length());
  }
  apply(static_cluster(address, "connect_timeout: 0.02s"));
  auto request = send();
  ASSERT_TRUE(finish(*request));
  EXPECT_EQ(request->failure, PoolFailure::ConnectTimeout);
  turn();
  EXPECT_EQ(stat("upstream_cx_connect_timeout"), 1);
}

TEST_F(ConnectionPoolTest, AnIdleConnectionThatThePeerClosedIsNotUsed) {
  TestServer server(loop_, Protocol::Http11);
  apply(static_cluster(server.address));
  ASSERT_TRUE(finish(*send()));
  server.connections[0]->connection->close(net::CloseType::NoFlush);
  ASSERT_TRUE(until([&] { return stat("upstream_cx_destroy_remote") == 1; }));
  auto second = send();
  ASSERT_TRUE(finish(*second));
  EXPECT_EQ(second->response.headers.status(), 200);
  EXPECT_FALSE(second->reused);
  EXPECT_EQ(stat("upstream_cx_active"), 1);
}

TEST_F(ConnectionPoolTest, IdleConnectionsCloseAfterTheIdleTimeout) {
  TestServer server(loop_, Protocol::Http11);
  apply(static_cluster(server.address, "common_http_protocol_options: {idle_timeout: 0.01s}"));
  ASSERT_TRUE(finish(*send()));
  ASSERT_TRUE(until([&] { return server.open() == 0; }));
  EXPECT_EQ(stat("upstream_cx_idle_timeout"), 1);
}

TEST_F(ConnectionPoolTest, AResponseWithConnectionCloseEndsTheConnection) {
  TestServer server(loop_, Protocol::Http11);
  server.on_request = [](http::Message& request) {
    TestServer::answer(request, "200", {{"connection", "close"}});
  };
  apply(static_cluster(server.address));
  ASSERT_TRUE(finish(*send()));
  auto second = send();
  ASSERT_TRUE(finish(*second));
  EXPECT_EQ(second->response.headers.status(), 200);
  EXPECT_EQ(server.connections.size(), 2u);
}

TEST_F(ConnectionPoolTest, AConnectionEndsAfterMaxRequests) {
  TestServer server(loop_, Protocol::Http11);
  apply(static_cluster(server.address, "max_requests_per_connection: 2"));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(finish(*send()));
  EXPECT_EQ(server.connections.size(), 3u);
  EXPECT_TRUE(until([&] { return server.open() == 1; }));
  EXPECT_EQ(stat("upstream_cx_max_requests"), 2);
}

TEST_F(ConnectionPoolTest, AStreamOfAConnectionThatBreaksIsResetOnce) {
  for (auto protocol : {Protocol::Http11, Protocol::Http2}) {
    TestServer server(loop_, protocol);
    server.on_request = nullptr;
    apply(static_cluster(server.address, protocol == Protocol::Http2 ? kHttp2 : ""));
    auto request = send();
    ASSERT_TRUE(until([&] { return server.requests.size() == 1; }));
    server.connections[0]->connection->close(net::CloseType::Reset);
    ASSERT_TRUE(finish(*request));
    EXPECT_EQ(request->response.reset, http::ResetReason::ConnectionTermination);
    turn();
    EXPECT_EQ(stat("upstream_rq_active"), 0);
    EXPECT_EQ(stat("upstream_cx_active"), 0);
  }
}

TEST_F(ConnectionPoolTest, AResetOfOursFreesItsPlace) {
  for (auto protocol : {Protocol::Http11, Protocol::Http2}) {
    TestServer server(loop_, protocol);
    server.on_request = nullptr;
    apply(static_cluster(server.address, protocol == Protocol::Http2 ? kHttp2 : ""));
    auto request = send();
    ASSERT_TRUE(until([&] { return server.requests.size() == 1; }));
    request->encoder->reset(http::ResetReason::LocalReset);
    EXPECT_EQ(stat("upstream_rq_active"), 0);
    // HTTP/1 has no way to give up one response but to close.
    ASSERT_TRUE(until([&] { return server.open() == (protocol == Protocol::Http2 ? 1u : 0u); }));
    server.on_request = [](http::Message& r) { TestServer::answer(r); };
    auto next = send();
    ASSERT_TRUE(finish(*next));
    EXPECT_EQ(next->response.headers.status(), 200);
  }
}

TEST_F(ConnectionPoolTest, Http2SharesOneConnection) {
  TestServer server(loop_, Protocol::Http2);
  server.on_request = nullptr;
  apply(static_cluster(server.address, kHttp2));
  std::vector<std::unique_ptr<TestRequest>> requests;
  for (int i = 0; i < 10; ++i) requests.push_back(send());
  ASSERT_TRUE(until([&] { return server.requests.size() == 10; }));
  EXPECT_EQ(server.connections.size(), 1u);
  for (auto* request : server.requests) TestServer::answer(*request);
  for (auto& request : requests) ASSERT_TRUE(finish(*request));
  EXPECT_EQ(stat("upstream_cx_http2_total"), 1);
}

TEST_F(ConnectionPoolTest, ThePeersLimitOfStreamsIsKept) {
  TestServer server(loop_, Protocol::Http2);
  server.options.limits.max_concurrent_streams = 1;
  apply(static_cluster(server.address, kHttp2));
  ASSERT_TRUE(finish(*send()));  // the peer's SETTINGS are known from here on
  server.on_request = nullptr;
  auto first = send(), second = send();
  ASSERT_TRUE(until([&] { return server.requests.size() == 3; }));
  EXPECT_EQ(server.connections.size(), 2u);
}

TEST_F(ConnectionPoolTest, AGoawayMovesNewStreamsToANewConnection) {
  TestServer server(loop_, Protocol::Http2);
  server.on_request = nullptr;
  apply(static_cluster(server.address, kHttp2));
  auto first = send();
  ASSERT_TRUE(until([&] { return server.requests.size() == 1; }));
  auto& codec = static_cast<http::ServerCodec&>(*server.connections[0]->codec);
  codec.shutdown_notice();
  codec.goaway();
  ASSERT_TRUE(until([&] { return stat("upstream_cx_close_notify") >= 1; }));
  auto second = send();
  ASSERT_TRUE(until([&] { return server.requests.size() == 2; }));
  EXPECT_NE(first->connection_id, second->connection_id);
  TestServer::answer(*server.requests[0]);
  ASSERT_TRUE(finish(*first));
  EXPECT_EQ(first->response.headers.status(), 200);
  // The old connection closes when its last stream has ended.
  EXPECT_TRUE(until([&] { return server.open() == 1; }));
}

TEST_F(ConnectionPoolTest, TheDownstreamsProtocolIsUsedWhereTheClusterSaysSo) {
  TestServer http1(loop_, Protocol::Http11), http2(loop_, Protocol::Http2);
  for (auto* server : {&http1, &http2}) {
    apply(static_cluster(server->address, "protocol_selection: USE_DOWNSTREAM_PROTOCOL"));
    const Protocol protocol = server == &http1 ? Protocol::Http11 : Protocol::Http2;
    auto request = send(pick(), {.downstream = protocol});
    ASSERT_TRUE(finish(*request));
    EXPECT_EQ(request->protocol, protocol);
    EXPECT_EQ(request->response.headers.status(), 200);
  }
}

TEST_F(ConnectionPoolTest, BytesThatNobodyAskedForCloseTheConnection) {
  TestServer server(loop_, Protocol::Http11);
  apply(static_cluster(server.address));
  ASSERT_TRUE(finish(*send()));
  server.connections[0]->connection->write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_TRUE(until([&] { return server.open() == 0; }));
}

}  // namespace
}  // namespace sennit::proxy

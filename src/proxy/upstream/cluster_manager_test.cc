#include "proxy/upstream/test_upstream.h"

namespace sennit::proxy {
namespace {

using http::Protocol;

constexpr const char* kEds =
    "name: c\ntype: EDS\neds_cluster_config: {service_name: s, eds_config: {ads: {}, "
    "initial_fetch_timeout: 0s}}\n";

class ClusterManagerTest : public UpstreamTest {
 protected:
  static net::Address address(const std::string& text) { return *net::Address::parse(text); }
  static std::string assignment(std::initializer_list<std::string> endpoints) {
    return fmt::format("cluster_name: s\nendpoints: [{{lb_endpoints: [{}]}}]",
                       fmt::join(endpoints, ", "));
  }
};

TEST_F(ClusterManagerTest, AnEdsClusterWarmsWithItsFirstEndpoints) {
  std::vector<std::string> warmed;
  manager_.on_warmed([&](const std::string& name) { warmed.push_back(name); });
  apply(kEds);
  EXPECT_EQ(manager_.warming(), std::vector<std::string>{"c"});
  EXPECT_EQ(worker_.find("c"), nullptr);
  ASSERT_TRUE(apply_eds(assignment({endpoint(address("10.0.0.1:80"))})));
  EXPECT_TRUE(manager_.warming().empty());
  EXPECT_EQ(warmed, std::vector<std::string>{"c"});
  EXPECT_EQ(pick()->address.to_string(), "10.0.0.1:80");
  EXPECT_EQ(stat("membership_healthy"), 1);
}

TEST_F(ClusterManagerTest, AnEdsClusterIsUsedEmptyAfterTheInitialFetchTimeout) {
  apply(
      "name: c\ntype: EDS\neds_cluster_config: {eds_config: {ads: {}, initial_fetch_timeout: "
      "0.005s}}");
  ASSERT_TRUE(until([&] { return worker_.find("c") != nullptr; }));
  EXPECT_EQ(pick(), nullptr);
  EXPECT_EQ(stat("upstream_cx_none_healthy"), 1);
}

TEST_F(ClusterManagerTest, EndpointsThatCameBeforeTheClusterAreUsed) {
  ASSERT_TRUE(apply_eds(assignment({endpoint(address("10.0.0.1:80"))})));
  apply(kEds);
  EXPECT_NE(pick(), nullptr);
}

TEST_F(ClusterManagerTest, NamesOfEdsResourcesFollowTheClusters) {
  int changes = 0;
  manager_.on_eds_names_changed([&] { ++changes; });
  apply(kEds);
  EXPECT_EQ(manager_.eds_names(), std::vector<std::string>{"s"});
  EXPECT_EQ(changes, 1);
  EXPECT_TRUE(manager_.remove("c"));
  turn();
  EXPECT_TRUE(manager_.eds_names().empty());
  EXPECT_EQ(changes, 2);
}

TEST_F(ClusterManagerTest, HostsThatStayKeepTheirIdentity) {
  apply(kEds);
  const auto one = address("10.0.0.1:80"), two = address("10.0.0.2:80");
  ASSERT_TRUE(apply_eds(assignment({endpoint(one)})));
  const HostPtr before = pick();
  ASSERT_TRUE(apply_eds(assignment({endpoint(one, ", load_balancing_weight: 3"), endpoint(two)})));
  EXPECT_EQ(stat("membership_total"), 2);
  EXPECT_EQ(before->weight.load(), 3u);
  bool seen = false;
  for (int i = 0; i < 8; ++i) seen |= pick() == before;
  EXPECT_TRUE(seen);
}

TEST_F(ClusterManagerTest, TheSameResourcesAgainChangeNothing) {
  apply(kEds);
  const std::string endpoints = assignment({endpoint(address("10.0.0.1:80"))});
  ASSERT_TRUE(apply_eds(endpoints));
  const HostPtr before = pick();
  const auto info = cluster().info();
  apply(kEds);
  ASSERT_TRUE(apply_eds(endpoints));
  EXPECT_EQ(cluster().info(), info);
  EXPECT_EQ(pick(), before);
  EXPECT_EQ(stat("membership_change"), 1);
}

TEST_F(ClusterManagerTest, ARemovedHostsConnectionsDrain) {
  TestServer server(loop_, Protocol::Http11);
  server.on_request = nullptr;
  apply(kEds);
  ASSERT_TRUE(apply_eds(assignment({endpoint(server.address)})));
  auto request = send();
  ASSERT_TRUE(until([&] { return server.requests.size() == 1; }));
  ASSERT_TRUE(apply_eds(assignment({})));
  EXPECT_EQ(pick(), nullptr);
  EXPECT_EQ(server.open(), 1u);
  TestServer::answer(*server.requests[0]);
  ASSERT_TRUE(finish(*request));
  EXPECT_EQ(request->response.headers.status(), 200);
  EXPECT_TRUE(until([&] { return server.open() == 0; }));
}

TEST_F(ClusterManagerTest, ARemovedClusterFinishesItsRequests) {
  TestServer server(loop_, Protocol::Http2);
  server.on_request = nullptr;
  apply(static_cluster(server.address, kHttp2));
  auto request = send();
  ASSERT_TRUE(until([&] { return server.requests.size() == 1; }));
  EXPECT_TRUE(manager_.remove("c"));
  turn();
  EXPECT_EQ(worker_.find("c"), nullptr);
  TestServer::answer(*server.requests[0]);
  ASSERT_TRUE(finish(*request));
  EXPECT_EQ(request->response.headers.status(), 200);
  EXPECT_TRUE(until([&] { return server.open() == 0; }));
  EXPECT_EQ(stat("membership_total"), 0);
}

TEST_F(ClusterManagerTest, AReplacedClusterDrainsItsOldConnections) {
  TestServer server(loop_, Protocol::Http11);
  apply(static_cluster(server.address));
  ASSERT_TRUE(finish(*send()));
  const HostPtr host = pick();
  apply(static_cluster(server.address, "connect_timeout: 7s"));
  EXPECT_EQ(pick(), host);
  EXPECT_TRUE(until([&] { return server.open() == 0; }));
  ASSERT_TRUE(finish(*send()));
}

TEST_F(ClusterManagerTest, AReplacementThatWarmsTakesOverWhenItIsWarm) {
  apply(static_cluster(address("10.0.0.1:80")));
  apply(kEds);
  EXPECT_EQ(pick()->address.to_string(), "10.0.0.1:80");
  ASSERT_TRUE(apply_eds(assignment({endpoint(address("10.0.0.2:80"))})));
  EXPECT_EQ(pick()->address.to_string(), "10.0.0.2:80");
}

TEST_F(ClusterManagerTest, ADynamicClusterCannotTakeAStaticOnesName) {
  ASSERT_TRUE(try_apply(static_cluster(address("10.0.0.1:80")), ClusterManager::Origin::Static));
  EXPECT_EQ(refusal(static_cluster(address("10.0.0.2:80"))),
            "cluster c: name: the bootstrap has a static cluster of this name");
  EXPECT_FALSE(manager_.remove("c"));
  turn();
  EXPECT_EQ(pick()->address.to_string(), "10.0.0.1:80");
}

TEST_F(ClusterManagerTest, ALateWorkerGetsEverything) {
  apply(static_cluster(address("10.0.0.1:80")));
  WorkerClusters& late = manager_.add_worker(loop_, registry_.new_shard());
  turn();
  ASSERT_NE(late.find("c"), nullptr);
  EXPECT_NE(late.find("c")->pick({}), nullptr);
}

TEST_F(ClusterManagerTest, ABadAssignmentIsRefusedByPathAndChangesNothing) {
  apply(kEds);
  ASSERT_TRUE(apply_eds(assignment({endpoint(address("10.0.0.1:80"))})));
  auto status = apply_eds(
      "cluster_name: s\nendpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: "
      "{address: host.example, port_value: 1}}}}]}]");
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find(
                "load assignment s: endpoints[0].lb_endpoints[0].endpoint.address.socket_address"),
            std::string::npos)
      << status.error().message;
  EXPECT_EQ(pick()->address.to_string(), "10.0.0.1:80");
}

TEST_F(ClusterManagerTest, TransportSocketsMatchTheEndpointsMetadata) {
  // The socket that "tlsMode: istio" gets needs a secret that has not come; the other is plaintext.
  TestServer server(loop_, Protocol::Http11);
  apply(std::string(kEds) + R"(transport_socket_matches:
- name: tlsMode-istio
  match: {tlsMode: istio}
  transport_socket:
    name: envoy.transport_sockets.tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      common_tls_context:
        tls_certificate_sds_secret_configs: [{name: default, sds_config: {ads: {}}}]
- name: tlsMode-disabled
  match: {}
  transport_socket:
    name: envoy.transport_sockets.raw_buffer
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer
)");
  ASSERT_TRUE(apply_eds(assignment({endpoint(server.address)})));
  auto plain = send();
  ASSERT_TRUE(finish(*plain));
  EXPECT_EQ(plain->response.headers.status(), 200);
  ASSERT_TRUE(apply_eds(assignment({endpoint(
      server.address,
      ", metadata: {filter_metadata: {envoy.transport_socket_match: {tlsMode: istio}}}")})));
  auto secure = send();
  ASSERT_TRUE(finish(*secure));
  EXPECT_EQ(secure->failure, PoolFailure::ConnectFailure);
  EXPECT_NE(secure->detail.find("Secret is not supplied by SDS"), std::string::npos);
}

TEST_F(ClusterManagerTest, ChangesOfHealthWithinTheMergeWindowWaitForItsEnd) {
  for (const char* window : {"0s", "0.03s"}) {
    SCOPED_TRACE(window);
    apply(fmt::format(
        "{}common_lb_config: {{update_merge_window: {}, healthy_panic_threshold: {{}}}}", kEds,
        window));
    const auto one = address("10.0.0.1:80");
    ASSERT_TRUE(apply_eds(assignment({})));
    ASSERT_TRUE(apply_eds(assignment({endpoint(one)})));
    ASSERT_NE(pick(), nullptr);
    ASSERT_TRUE(apply_eds(assignment({endpoint(one, ", health_status: UNHEALTHY")})));
    if (window[1] == '.') {
      EXPECT_NE(pick(), nullptr);
    }
    EXPECT_TRUE(until([&] { return pick() == nullptr; }));
  }
}

TEST_F(ClusterManagerTest, ConsecutiveErrorsEjectAHostOnEveryWorker) {
  WorkerClusters& other = manager_.add_worker(loop_, registry_.new_shard());
  apply(static_cluster(address("10.0.0.1:80"),
                       "outlier_detection: {consecutive_5xx: 3, max_ejection_percent: 100}\n"
                       "common_lb_config: {healthy_panic_threshold: {}, update_merge_window: 0s}"));
  const HostPtr host = pick();
  for (int i = 0; i < 3; ++i) {
    ASSERT_NE(pick(), nullptr);
    cluster().report(host, HostResult::Error5xx, 500, std::chrono::milliseconds(1));
  }
  turn();
  EXPECT_EQ(pick(), nullptr);
  EXPECT_EQ(other.find("c")->pick({}), nullptr);
  EXPECT_EQ(stat("outlier_detection.ejections_active"), 1);
  EXPECT_EQ(stat("membership_healthy"), 0);
  EXPECT_EQ(stat("upstream_rq_5xx"), 3);
  EXPECT_NE(manager_.clusters_text().find("health_flags::/failed_outlier_check"),
            std::string::npos);
}

TEST_F(ClusterManagerTest, OriginalDestinationConnectsWhereTheClientWanted) {
  TestServer server(loop_, Protocol::Http11);
  apply("name: c\ntype: ORIGINAL_DST\nlb_policy: CLUSTER_PROVIDED\ncleanup_interval: 0.01s");
  DownstreamInfo downstream;
  downstream.local_address = server.address;
  PickContext context;
  context.downstream = &downstream;
  const HostPtr host = cluster().pick(context);
  ASSERT_NE(host, nullptr);
  EXPECT_EQ(cluster().pick(context), host);
  auto request = send(host);
  ASSERT_TRUE(finish(*request));
  EXPECT_EQ(request->response.headers.status(), 200);
  EXPECT_EQ(cluster().pick({}), nullptr);
}

TEST_F(ClusterManagerTest, UnusedOriginalDestinationsAreForgotten) {
  TestServer server(loop_, Protocol::Http11);
  apply("name: c\ntype: ORIGINAL_DST\nlb_policy: CLUSTER_PROVIDED\ncleanup_interval: 0.005s");
  DownstreamInfo downstream;
  downstream.local_address = server.address;
  PickContext context;
  context.downstream = &downstream;
  std::weak_ptr<const Host> host = cluster().pick(context);
  EXPECT_TRUE(until([&] { return host.expired(); }));
  EXPECT_NE(cluster().pick(context), nullptr);
}

TEST_F(ClusterManagerTest, DnsNamesBecomeHosts) {
  TestServer server(loop_, Protocol::Http11);
  for (const char* type : {"STRICT_DNS", "LOGICAL_DNS"}) {
    apply(fmt::format(
        "name: c\ntype: {}\ndns_lookup_family: V4_ONLY\nload_assignment: {{cluster_name: c, "
        "endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: "
        "localhost, port_value: {}}}}}}}}}]}}]}}",
        type, server.address.port()));
    ASSERT_TRUE(until([&] { return manager_.warming().empty(); }));
    turn();
    EXPECT_EQ(pick()->hostname, "localhost");
    auto request = send();
    ASSERT_TRUE(finish(*request));
    EXPECT_EQ(request->response.headers.status(), 200);
  }
}

TEST_F(ClusterManagerTest, ADnsClusterThatNeedNotWarmIsUsedAtOnce) {
  apply(
      "name: c\ntype: STRICT_DNS\nwait_for_warm_on_init: false\ndns_lookup_family: V4_ONLY\n"
      "load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: "
      "{socket_address: {address: localhost, port_value: 1}}}}]}]}");
  EXPECT_TRUE(manager_.warming().empty());
  ASSERT_NE(worker_.find("c"), nullptr);
  EXPECT_TRUE(until([&] { return pick() != nullptr; }));
}

// --- connections without a pool, for TCP ---------------------------------------------------------

struct TcpEnd final : net::ConnectionCallbacks {
  void on_data(net::Buffer& input, bool) override { input.clear(); }
  void on_event(net::ConnectionEvent event) override {
    if (event == net::ConnectionEvent::Connected) {
      connected = true;
    } else {
      closed = event;
    }
  }
  bool connected = false;
  std::optional<net::ConnectionEvent> closed;
};

TEST_F(ClusterManagerTest, TcpConnectionsCountWhatBecameOfThem) {
  TestServer server(loop_, std::nullopt);
  apply(static_cluster(server.address, "circuit_breakers: {thresholds: [{max_connections: 1}]}"));
  const HostPtr host = pick();
  TcpEnd end;
  auto connection = cluster().connect(host, {});
  ASSERT_NE(connection, nullptr);
  connection->set_callbacks(&end);
  EXPECT_EQ(cluster().connect(host, {}), nullptr) << "the breaker is open";
  EXPECT_EQ(stat("upstream_cx_overflow"), 1);
  ASSERT_TRUE(until([&] { return end.connected; }));
  connection->write("four");
  ASSERT_TRUE(until(
      [&] { return server.connections.size() == 1 && server.connections[0]->received == "four"; }));
  connection->close(net::CloseType::NoFlush);
  cluster().on_tcp_connection_closed(host, *connection, true, *end.closed);
  EXPECT_EQ(stat("upstream_cx_tx_bytes_total"), 4);
  EXPECT_EQ(stat("upstream_cx_destroy_local"), 1);
  EXPECT_EQ(stat("upstream_cx_active"), 0);
  EXPECT_EQ(stat("upstream_cx_connect_fail"), 0);
  EXPECT_EQ(stat("circuit_breakers.default.cx_open"), 0);
}

TEST_F(ClusterManagerTest, ATcpConnectionThatIsRefusedCountsAsAFailure) {
  TestServer server(loop_, std::nullopt);
  server.stop_listening();
  apply(static_cluster(server.address));
  const HostPtr host = pick();
  TcpEnd end;
  auto connection = cluster().connect(host, {});
  connection->set_callbacks(&end);
  ASSERT_TRUE(until([&] { return end.closed.has_value(); }));
  cluster().on_tcp_connection_closed(host, *connection, false, *end.closed);
  EXPECT_EQ(stat("upstream_cx_connect_fail"), 1);
  EXPECT_EQ(host->numbers.cx_connect_fail.load(), 1u);
}

TEST_F(ClusterManagerTest, AWorkersClusterOutlivesItsRemovalForItsTcpConnections) {
  TestServer server(loop_, std::nullopt);
  apply(static_cluster(server.address));
  const HostPtr host = pick();
  WorkerCluster& old = cluster();
  TcpEnd end;
  auto connection = old.connect(host, {});
  connection->set_callbacks(&end);
  ASSERT_TRUE(until([&] { return end.connected; }));
  EXPECT_TRUE(manager_.remove("c"));
  turn();
  connection->close(net::CloseType::NoFlush);
  old.on_tcp_connection_closed(host, *connection, true, *end.closed);
  turn();
  EXPECT_EQ(stat("upstream_cx_active"), 0);
}

}  // namespace
}  // namespace sennit::proxy

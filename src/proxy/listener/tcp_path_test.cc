// The path of a TCP connection through one sidecar or two: listener, filter chain, mutual TLS,
// metadata exchange, TCP proxy, metrics.
#include <envoy/extensions/transport_sockets/tls/v3/tls.pb.h>
#include <gmock/gmock.h>
#include <istio/metadata_exchange.pb.h>
#include <istio/stats.pb.h>

#include "proxy/listener/limits.h"
#include "proxy/listener/peer_exchange.h"
#include "proxy/listener/test_sidecar.h"

namespace sennit::proxy {
namespace {

using net::ConnectionEvent;
using testing::HasSubstr;
using tls::TestCertificate;

constexpr const char* kAlpn = "istio-peer-exchange";
const std::string kTcpProxy = R"(
  filters { typed_config {
    [type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy] {
      stat_prefix: 'tcp' cluster: 'next' } } })";
const std::string kStats =
    "filters { typed_config { [type.googleapis.com/stats.PluginConfig] {} } }";
const std::string kExchange = R"(
  filters { typed_config {
    [type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange] {
      protocol: 'istio-peer-exchange' } } })";
const std::string kTlsInspector = R"(
  listener_filters { typed_config {
    [type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector] {} } })";

std::string chain(const std::string& body) {
  return "filter_chains { " + body + " }";
}

class TcpPathTest : public testing::Test {
 protected:
  bool until(const std::function<bool()>& done) { return net::run_until(loop_, done); }

  void connect(const net::Address& address,
               std::unique_ptr<net::TransportSocket> transport = net::make_raw_transport_socket()) {
    client_ = net::Connection::connect(loop_, address, {}, std::move(transport));
    client_->set_callbacks(&recorder_);
    client_->enable_half_close(true);
  }
  bool answers(const std::string& question) {
    client_->write(question);
    return until([&] { return recorder_.received.ends_with(question) || recorder_.closed(); }) &&
           recorder_.received.ends_with(question);
  }

  // Both sides' TLS context with an identity of `account`.
  template <typename Message>
  envoy::config::core::v3::TransportSocket tls_socket(const TestCertificate& authority,
                                                      const std::string& account) {
    const auto identity = authority.issue({.names = "URI:spiffe://mesh/ns/default/sa/" + account});
    Message message;
    auto& common = *message.mutable_common_tls_context();
    common.add_alpn_protocols(kAlpn);
    common.add_alpn_protocols("istio");
    auto& certificate = *common.add_tls_certificates();
    certificate.mutable_certificate_chain()->set_inline_string(identity.pem());
    certificate.mutable_private_key()->set_inline_string(identity.key_pem());
    common.mutable_validation_context()->mutable_trusted_ca()->set_inline_string(authority_.pem());
    if constexpr (requires { message.mutable_require_client_certificate(); }) {
      message.mutable_require_client_certificate()->set_value(true);
    }
    envoy::config::core::v3::TransportSocket socket;
    socket.mutable_typed_config()->PackFrom(message);
    return socket;
  }
  // The inbound listener of the server's sidecar.
  net::Address inbound(const std::string& filters) {
    const auto socket =
        tls_socket<envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext>(authority_,
                                                                                        "server");
    server_.add_cluster("next", application_.address());
    return server_.listen("traffic_direction: INBOUND " + kTlsInspector +
                          chain("filter_chain_match { transport_protocol: 'tls' } " + filters +
                                " transport_socket { " + socket.ShortDebugString() + " }"));
  }
  envoy::config::core::v3::TransportSocket client_tls(const TestCertificate& authority) {
    return tls_socket<envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext>(authority,
                                                                                         "client");
  }
  // A TLS client that is no sidecar, but offers the ALPN of one.
  void connect_tls(const net::Address& address, const TestCertificate& authority) {
    auto factory = make_upstream_transport(client_tls(authority), sidecar_.secrets);
    ASSERT_TRUE(factory) << factory.error().message;
    connect(address, (*factory)->create({}));
  }

  net::EventLoop loop_;
  const TestCertificate authority_ = TestCertificate::authority("root");
  EchoApplication application_{loop_};
  Sidecar sidecar_{loop_, "client"}, server_{loop_, "server"};
  net::Recorder recorder_;
  std::unique_ptr<net::Connection> client_;
};

TEST_F(TcpPathTest, CarriesBytesBothWays) {
  sidecar_.add_cluster("next", application_.address());
  connect(sidecar_.listen(chain(kTcpProxy)));
  EXPECT_TRUE(answers("hello"));
  EXPECT_EQ(sidecar_.counter("tcp.downstream_cx_total"), 1u);
  EXPECT_EQ(sidecar_.counter("tcp.downstream_cx_rx_bytes_total"), 5u);
}

TEST_F(TcpPathTest, LetsTheServerSpeakFirst) {
  application_.greeting = "220 ready";
  sidecar_.add_cluster("next", application_.address());
  connect(sidecar_.listen(chain(kTcpProxy)));
  EXPECT_TRUE(until([&] { return recorder_.received == "220 ready"; }));
}

TEST_F(TcpPathTest, CarriesMuchWithinItsBufferLimit) {
  sidecar_.add_cluster("next", application_.address());
  connect(
      sidecar_.listen(chain(kTcpProxy) + " per_connection_buffer_limit_bytes { value: 32768 }"));
  const std::string much(8 << 20, 'm');
  client_->write(much);
  ASSERT_TRUE(until([&] { return recorder_.received.size() >= much.size(); }));
  EXPECT_TRUE(recorder_.received == much);
}

TEST_F(TcpPathTest, PassesTheEndsOnAndForgetsTheConnection) {
  auto& cluster = sidecar_.add_cluster("next", application_.address());
  connect(sidecar_.listen(chain(kTcpProxy)));
  client_->write("last");
  client_->shutdown_write();
  ASSERT_TRUE(until([&] { return recorder_.ended; }));
  EXPECT_EQ(recorder_.received, "last");
  EXPECT_TRUE(until([&] { return sidecar_.listeners->connection_count() == 0; }));
  EXPECT_EQ(cluster.opened, 1);
  EXPECT_EQ(cluster.closed, 1);
}

TEST_F(TcpPathTest, ClosesWhereItsClusterIsNotKnown) {
  connect(sidecar_.listen(chain(kTcpProxy)));
  ASSERT_TRUE(until([&] { return recorder_.closed() || recorder_.ended; }));
  EXPECT_EQ(sidecar_.counter("tcp.downstream_cx_no_route"), 1u);
}

TEST_F(TcpPathTest, ClosesWhereItsUpstreamRefuses) {
  net::Address nobody;
  {
    auto listening = net::listen_on(*net::Address::ip("127.0.0.1", 0), {});
    nobody = net::bound_address(listening->get());
  }
  auto& cluster = sidecar_.add_cluster("next", nobody);
  connect(sidecar_.listen(chain(kTcpProxy)));
  ASSERT_TRUE(until([&] { return recorder_.closed() || recorder_.ended; }));
  EXPECT_EQ(cluster.closed, cluster.opened);
}

TEST_F(TcpPathTest, ClosesWhereNoFilterChainFits) {
  connect(
      sidecar_.listen(chain("filter_chain_match { destination_port { value: 1 } } " + kTcpProxy)));
  ASSERT_TRUE(until([&] { return recorder_.closed() || recorder_.ended; }));
  EXPECT_EQ(sidecar_.counter("no_filter_chain_match"), 1u);
}

TEST_F(TcpPathTest, TwoSidecarsTellEachOtherWhoTheyAre) {
  sidecar_.add_cluster("next", inbound(kExchange + kStats + kTcpProxy), client_tls(authority_),
                       kAlpn);
  connect(sidecar_.listen("traffic_direction: OUTBOUND " + chain(kStats + kTcpProxy)));
  ASSERT_TRUE(answers("through two sidecars"));
  EXPECT_EQ(application_.heard, "through two sidecars") << "announcements are not for applications";
  client_->close(net::CloseType::NoFlush);
  ASSERT_TRUE(until([&] {
    return sidecar_.listeners->connection_count() + server_.listeners->connection_count() == 0;
  }));
  const auto at_server = server_.metric("istio_tcp_connections_opened_total");
  EXPECT_THAT(at_server, HasSubstr("reporter=\"destination\""));
  EXPECT_THAT(at_server, HasSubstr("source_workload=\"client\""));
  EXPECT_THAT(at_server, HasSubstr("source_principal=\"spiffe://mesh/ns/default/sa/client\""));
  EXPECT_THAT(at_server, HasSubstr("connection_security_policy=\"mutual_tls\""));
  EXPECT_THAT(at_server, testing::EndsWith("} 1"));
  const auto at_client = sidecar_.metric("istio_tcp_connections_opened_total");
  EXPECT_THAT(at_client, HasSubstr("reporter=\"source\""));
  EXPECT_THAT(at_client, HasSubstr("destination_workload=\"server\""));
  EXPECT_THAT(at_client, testing::EndsWith("} 1"));
  EXPECT_THAT(server_.metric("istio_tcp_received_bytes_total"), testing::EndsWith("} 20"));
  EXPECT_THAT(server_.metric("istio_tcp_sent_bytes_total"), testing::EndsWith("} 20"));
  EXPECT_THAT(server_.metric("istio_tcp_connections_closed_total"), testing::EndsWith("} 1"));
}

TEST_F(TcpPathTest, ExchangesMetadataWhereTheServerSpeaksFirst) {
  application_.greeting = "220 ready";
  sidecar_.add_cluster("next", inbound(kExchange + kStats + kTcpProxy), client_tls(authority_),
                       kAlpn);
  connect(sidecar_.listen(chain(kStats + kTcpProxy)));
  EXPECT_TRUE(until([&] { return recorder_.received == "220 ready"; }));
}

TEST_F(TcpPathTest, SendsNoAnnouncementWhereTheProtocolWasNotNegotiated) {
  sidecar_.add_cluster("next", inbound(kTcpProxy), client_tls(authority_), "another-protocol");
  connect(sidecar_.listen(chain(kTcpProxy)));
  ASSERT_TRUE(answers("plain"));
  EXPECT_EQ(application_.heard, "plain");
}

TEST_F(TcpPathTest, TakesAPeerWithoutAnAnnouncementForUnknown) {
  connect_tls(inbound(kExchange + kStats + kTcpProxy), authority_);
  client_->write("no magic");
  ASSERT_TRUE(until([&] { return application_.heard == "no magic"; }));
  EXPECT_THAT(server_.metric("istio_tcp_connections_opened_total"),
              HasSubstr("source_workload=\"unknown\""));
}

TEST_F(TcpPathTest, ReadsAnAnnouncementThatComesInPieces) {
  connect_tls(inbound(kExchange + kStats + kTcpProxy), authority_);
  const std::string announcement = peer_announcement(sidecar_.node);
  client_->write(announcement.substr(0, 3));
  ASSERT_TRUE(until([&] { return recorder_.saw(ConnectionEvent::Connected); }));
  client_->write(announcement.substr(3, 10));
  for (int i = 0; i < 3; ++i) loop_.run_once(net::Milliseconds(1));
  client_->write(announcement.substr(13) + "and data");
  ASSERT_TRUE(until([&] { return application_.heard == "and data"; }));
  EXPECT_THAT(server_.metric("istio_tcp_connections_opened_total"),
              HasSubstr("source_workload=\"client\""));
}

TEST_F(TcpPathTest, ClosesOnAnAnnouncementThatIsTooLong) {
  connect_tls(inbound(kExchange + kTcpProxy), authority_);
  client_->write(std::string("\x3D\x23\x04\x67\x7f\xff\xff\xff", 8));
  EXPECT_TRUE(until([&] { return recorder_.closed() || recorder_.ended; }));
  EXPECT_TRUE(until([&] { return server_.listeners->connection_count() == 0; }));
}

TEST_F(TcpPathTest, TurnsAClientOfAnotherAuthorityAway) {
  connect_tls(inbound(kTcpProxy), TestCertificate::authority("another root"));
  client_->write("let me in");
  ASSERT_TRUE(until([&] { return recorder_.closed() || recorder_.ended; }));
  EXPECT_EQ(server_.counter("ssl.fail_verify_error"), 1u);
  EXPECT_EQ(application_.heard, "");
}

TEST_F(TcpPathTest, RefusesIstioStatsFieldsByName) {
  envoy::config::listener::v3::Listener listener;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      chain("filters { typed_config { [type.googleapis.com/stats.PluginConfig] { "
            "rescoping_duration { seconds: 1 } } } }" +
            kTcpProxy),
      &listener));
  listener.mutable_address()->mutable_socket_address()->set_address("127.0.0.1");
  ListenerBuildContext context{server_.registry, server_.node, server_.secrets};
  const auto config = ListenerConfig::create(listener, context);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message,
              HasSubstr("filter_chains[0]: filters[0].typed_config: rescoping_duration"));
}

}  // namespace
}  // namespace sennit::proxy

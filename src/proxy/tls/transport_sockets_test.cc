#include "proxy/tls/transport_sockets.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include "net/test_connections.h"
#include "tls/test_certificates.h"

namespace sennit::proxy {
namespace {

using envoy::config::core::v3::TransportSocket;
using envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using envoy::extensions::transport_sockets::tls::v3::Secret;
using envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
using net::ConnectionEvent;
using testing::ElementsAre;
using testing::HasSubstr;
using tls::TestCertificate;
using Factory = std::shared_ptr<const TransportSocketFactory>;

// The contexts that istiod sends to sidecars, but for their ALPN lists.
constexpr const char* kSdsContext = R"(
  common_tls_context {
    tls_certificate_sds_secret_configs { name: 'default' sds_config { ads {} } }
    combined_validation_context {
      default_validation_context { $names }
      validation_context_sds_secret_config { name: 'ROOTCA' sds_config { ads {} } }
    }
  })";
constexpr const char* kServerName = R"(
  match_typed_subject_alt_names {
    san_type: URI matcher { exact: 'spiffe://mesh/ns/a/sa/server' } })";

template <typename Message>
TransportSocket socket_of(std::string text, const std::string& names = "") {
  if (const size_t at = text.find("$names"); at != text.npos) text.replace(at, 6, names);
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  TransportSocket socket;
  socket.set_name("tls");
  socket.mutable_typed_config()->PackFrom(message);
  return socket;
}

std::string with_alpn(const std::string& protocols) {
  const std::string_view head = "common_tls_context {";
  std::string text = kSdsContext;
  return text.insert(text.find(head) + head.size(), " alpn_protocols: " + protocols);
}

TransportSocket downstream_socket() {
  return socket_of<DownstreamTlsContext>(std::string(kSdsContext) +
                                         " require_client_certificate { value: true }");
}

Secret certificate_secret(const TestCertificate& certificate) {
  Secret secret;
  secret.set_name("default");
  secret.mutable_tls_certificate()->mutable_certificate_chain()->set_inline_bytes(
      certificate.pem());
  secret.mutable_tls_certificate()->mutable_private_key()->set_inline_bytes(certificate.key_pem());
  return secret;
}

Secret root_secret(const std::string& pem) {
  Secret secret;
  secret.set_name("ROOTCA");
  secret.mutable_validation_context()->mutable_trusted_ca()->set_inline_bytes(pem);
  return secret;
}

class TransportSocketsTest : public testing::Test {
 protected:
  static Factory made(Result<Factory> factory) {
    EXPECT_TRUE(factory) << factory.error().message;
    return factory ? *factory : nullptr;
  }
  static TestCertificate identity(const TestCertificate& authority, const std::string& account) {
    return authority.issue({.names = "URI:spiffe://mesh/ns/a/sa/" + account});
  }
  void give(SecretManager& secrets, const std::string& account) {
    ASSERT_TRUE(secrets.update(certificate_secret(identity(authority_, account))));
    ASSERT_TRUE(secrets.update(root_secret(authority_.pem())));
  }
  std::unique_ptr<net::Pair> connect(const Factory& client, const Factory& server) {
    auto pair = net::connect_pair(
        loop_, [&] { return client->create({}); }, [&] { return server->create({}); });
    pair->server->start();
    return pair;
  }
  bool until(const std::function<bool()>& done) { return net::run_until(loop_, done); }
  bool open(net::Pair& pair) {
    return until([&] {
             return pair.at_server.saw(ConnectionEvent::ConnectedTls) || pair.at_server.closed() ||
                    pair.at_client.closed();
           }) &&
           pair.at_server.saw(ConnectionEvent::ConnectedTls) &&
           until([&] { return pair.at_client.saw(ConnectionEvent::Connected); });
  }

  net::EventLoop loop_;
  const TestCertificate authority_ = TestCertificate::authority("root");
  SecretManager at_client_, at_server_;
};

TEST_F(TransportSocketsTest, AsksForEachSecretOnce) {
  std::vector<std::string> asked;
  at_server_.set_subscriber([&](const std::string& name, const auto&) { asked.push_back(name); });
  made(make_downstream_transport(downstream_socket(), at_server_));
  made(make_downstream_transport(downstream_socket(), at_server_));
  EXPECT_THAT(asked, ElementsAre("default", "ROOTCA"));
}

TEST_F(TransportSocketsTest, AsksForSecretsThatWereNeededBeforeThereWasASubscriber) {
  made(make_downstream_transport(downstream_socket(), at_server_));
  std::vector<std::string> asked;
  at_server_.set_subscriber([&](const std::string& name, const auto&) { asked.push_back(name); });
  EXPECT_THAT(asked, ElementsAre("default", "ROOTCA"));
}

TEST_F(TransportSocketsTest, MakesNothingBeforeAllItsSecretsHaveCome) {
  const auto factory = made(make_downstream_transport(downstream_socket(), at_server_));
  EXPECT_FALSE(factory->ready());
  EXPECT_EQ(factory->create({}), nullptr);
  ASSERT_TRUE(at_server_.update(certificate_secret(identity(authority_, "server"))));
  EXPECT_EQ(factory->create({}), nullptr) << "the root is still missing";
  ASSERT_TRUE(at_server_.update(root_secret(authority_.pem())));
  EXPECT_TRUE(factory->ready());
  EXPECT_NE(factory->create({}), nullptr);
}

TEST_F(TransportSocketsTest, SpeaksMutualTlsWithSecretsFromSds) {
  const auto client = made(
      make_upstream_transport(socket_of<UpstreamTlsContext>(kSdsContext, kServerName), at_client_));
  const auto server = made(make_downstream_transport(downstream_socket(), at_server_));
  give(at_client_, "client");
  give(at_server_, "server");
  auto pair = connect(client, server);
  ASSERT_TRUE(open(*pair));
  EXPECT_EQ(pair->server->tls()->peer_principal(), "spiffe://mesh/ns/a/sa/client");
  EXPECT_EQ(pair->client->tls()->peer_principal(), "spiffe://mesh/ns/a/sa/server");
}

TEST_F(TransportSocketsTest, ChecksTheNameOfTheDefaultValidationContextWithTheRootFromSds) {
  const auto client = made(
      make_upstream_transport(socket_of<UpstreamTlsContext>(kSdsContext, kServerName), at_client_));
  const auto server = made(make_downstream_transport(downstream_socket(), at_server_));
  give(at_client_, "client");
  give(at_server_, "mallory");
  auto pair = connect(client, server);
  ASSERT_TRUE(until([&] { return pair->at_client.closed(); }));
  EXPECT_THAT(std::string(pair->client->transport_failure_reason()), HasSubstr("SAN matcher"));
}

TEST_F(TransportSocketsTest, UsesANewCertificateForTheNextHandshakeAndKeepsOldConnections) {
  const auto client = made(
      make_upstream_transport(socket_of<UpstreamTlsContext>(kSdsContext, kServerName), at_client_));
  const auto server = made(make_downstream_transport(downstream_socket(), at_server_));
  give(at_client_, "client");
  give(at_server_, "server");
  auto before = connect(client, server);
  ASSERT_TRUE(open(*before));
  const std::string old_serial = before->client->tls()->peer_serial;

  ASSERT_TRUE(at_server_.update(certificate_secret(identity(authority_, "server"))));
  auto after = connect(client, server);
  ASSERT_TRUE(open(*after));
  EXPECT_NE(after->client->tls()->peer_serial, old_serial);
  EXPECT_FALSE(after->client->tls()->resumed);
  before->client->write("still here");
  EXPECT_TRUE(until([&] { return before->at_server.received == "still here"; }));
  EXPECT_EQ(before->client->tls()->peer_serial, old_serial);
}

TEST_F(TransportSocketsTest, StopsTrustingARootThatHasGone) {
  const auto client = made(
      make_upstream_transport(socket_of<UpstreamTlsContext>(kSdsContext, kServerName), at_client_));
  const auto server = made(make_downstream_transport(downstream_socket(), at_server_));
  give(at_client_, "client");
  give(at_server_, "server");
  auto before = connect(client, server);
  ASSERT_TRUE(open(*before));
  const auto other = TestCertificate::authority("other");
  ASSERT_TRUE(at_server_.update(root_secret(other.pem())));
  auto after = connect(client, server);
  EXPECT_FALSE(open(*after));
  ASSERT_TRUE(at_server_.update(root_secret(other.pem() + authority_.pem())));
  auto both = connect(client, server);
  EXPECT_TRUE(open(*both));
}

TEST_F(TransportSocketsTest, KeepsTheLastGoodSecretWhenABadOneComes) {
  const auto client = made(
      make_upstream_transport(socket_of<UpstreamTlsContext>(kSdsContext, kServerName), at_client_));
  const auto server = made(make_downstream_transport(downstream_socket(), at_server_));
  give(at_client_, "client");
  give(at_server_, "server");
  auto secret = certificate_secret(identity(authority_, "server"));
  secret.mutable_tls_certificate()->mutable_private_key()->set_inline_bytes("nonsense");
  const auto status = at_server_.update(secret);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("secret \"default\": private key"));
  EXPECT_THAT(status.error().message, testing::Not(HasSubstr("nonsense")));
  auto pair = connect(client, server);
  EXPECT_TRUE(open(*pair));
}

TEST_F(TransportSocketsTest, TakesTheAlpnOfTheConnectionBeforeItsOwnAndTheFallbackLast) {
  const auto plain = made(
      make_upstream_transport(socket_of<UpstreamTlsContext>(kSdsContext, kServerName), at_client_));
  const auto listed = made(make_upstream_transport(
      socket_of<UpstreamTlsContext>(with_alpn("'own'"), kServerName), at_client_));
  const auto server = made(make_downstream_transport(
      socket_of<DownstreamTlsContext>(with_alpn("['override', 'own', 'fallback']")), at_server_));
  give(at_client_, "client");
  give(at_server_, "server");
  const std::vector<std::string> override{"override"}, fallback{"fallback"};
  const auto negotiated = [&](const Factory& client, TransportSocketParams params) {
    auto pair = net::connect_pair(
        loop_, [&] { return client->create(params); }, [&] { return server->create({}); });
    pair->server->start();
    EXPECT_TRUE(open(*pair));
    return pair->client->tls()->alpn;
  };
  EXPECT_EQ(negotiated(listed, {.alpn_override = override, .alpn_fallback = fallback}), "override");
  EXPECT_EQ(negotiated(listed, {.alpn_override = {}, .alpn_fallback = fallback}), "own");
  EXPECT_EQ(negotiated(plain, {.alpn_override = {}, .alpn_fallback = fallback}), "fallback");
  EXPECT_EQ(negotiated(plain, {}), "");
}

TEST_F(TransportSocketsTest, SaysWhichCertificateEndsFirst) {
  ASSERT_TRUE(at_server_.update(root_secret(authority_.pem())));
  ASSERT_TRUE(at_server_.update(certificate_secret(authority_.issue({.ends_in = 600}))));
  const auto left = at_server_.first_expiry();
  ASSERT_TRUE(left);
  EXPECT_LE(left->count(), 600);
  EXPECT_GT(left->count(), 500);
}

TEST_F(TransportSocketsTest, IsPlaintextWithoutATransportSocket) {
  const auto factory = made(make_upstream_transport({}, at_client_));
  EXPECT_FALSE(factory->secure());
  EXPECT_TRUE(factory->ready());
}

TEST_F(TransportSocketsTest, RefusesWhatItDoesNotSupportByItsPath) {
  const auto refused = [&](const char* text) {
    const auto factory = make_upstream_transport(socket_of<UpstreamTlsContext>(text), at_client_);
    return factory ? std::string() : factory.error().message;
  };
  EXPECT_THAT(refused("common_tls_context { key_log { path: 'a' } }"),
              HasSubstr("typed_config.common_tls_context.key_log"));
  EXPECT_THAT(refused("common_tls_context { tls_certificate_sds_secret_configs { name: 'x' } }"),
              HasSubstr("static secret \"x\" is not in static_resources.secrets"));
  EXPECT_THAT(refused("common_tls_context { tls_params { cipher_suites: 'NONSENSE' } }"),
              HasSubstr("NONSENSE"));
  const auto server = make_downstream_transport(socket_of<DownstreamTlsContext>(""), at_server_);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr("a server needs a certificate"));
}

}  // namespace
}  // namespace sennit::proxy

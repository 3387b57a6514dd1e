// Handshakes between two contexts over loopback: who is let in, and what is then known of whom.
#include <gmock/gmock.h>

#include "net/test_connections.h"
#include "tls/context.h"
#include "tls/openssl.h"
#include "tls/test_certificates.h"

namespace sennit::tls {
namespace {

using net::ConnectionEvent;
using net::Milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using ContextPtr = std::shared_ptr<const Context>;

constexpr const char* kClientId = "spiffe://mesh/ns/default/sa/client";
constexpr const char* kServerId = "spiffe://mesh/ns/default/sa/server";

std::string uri(const std::string& id) {
  return "URI:" + id;
}

SanMatcher exactly(SanType type, std::string name) {
  return {type, [name = std::move(name)](std::string_view given) { return given == name; }};
}

class HandshakeTest : public testing::Test {
 protected:
  HandshakeTest() {
    server_.certificates = {authority_.issue({.names = uri(kServerId)}).material()};
    server_.verification = Verification{.trusted_ca_pem = authority_.pem()};
    server_.require_client_certificate = true;
    client_.certificates = {authority_.issue({.names = uri(kClientId)}).material()};
    client_.verification = Verification{.trusted_ca_pem = authority_.pem(),
                                        .sans = {exactly(SanType::Uri, kServerId)}};
  }

  static ContextPtr built(Result<ContextPtr> context) {
    EXPECT_TRUE(context) << context.error().message;
    return context ? *context : nullptr;
  }
  std::unique_ptr<net::Pair> connect(const ContextPtr& client, const ContextPtr& server,
                                     const ConnectionOptions& options = {}) {
    auto pair = net::connect_pair(
        loop_, [&] { return client->create(options); }, [&] { return server->create({}); });
    pair->server->start();
    return pair;
  }
  std::unique_ptr<net::Pair> connect() {
    return connect(built(Context::client(client_)), built(Context::server(server_)));
  }
  bool until(const std::function<bool()>& done) { return net::run_until(loop_, done); }
  bool open(net::Pair& pair) {
    return until([&] {
             return (pair.at_server.saw(ConnectionEvent::ConnectedTls) &&
                     pair.at_client.saw(ConnectionEvent::Connected)) ||
                    pair.at_server.closed();
           }) &&
           pair.at_server.saw(ConnectionEvent::ConnectedTls) && !pair.at_server.closed();
  }
  // Why the server turned the client away; empty: it did not.
  std::string server_refusal(net::Pair& pair) {
    EXPECT_TRUE(until([&] {
      return pair.at_server.closed() || pair.at_server.saw(ConnectionEvent::ConnectedTls);
    }));
    EXPECT_TRUE(pair.at_server.closed());
    return std::string(pair.server->transport_failure_reason());
  }
  std::string client_refusal(net::Pair& pair) {
    EXPECT_TRUE(until([&] { return pair.at_client.closed(); }));
    EXPECT_FALSE(pair.at_client.saw(ConnectionEvent::Connected));
    return std::string(pair.client->transport_failure_reason());
  }
  void limit_to(Version version) {
    for (Options* options : {&client_, &server_}) {
      options->minimum = version;
      options->maximum = version;
    }
  }

  net::EventLoop loop_;
  const TestCertificate authority_ = TestCertificate::authority("root");
  const TestCertificate stranger_ = TestCertificate::authority("another root");
  Options client_, server_;
};

TEST_F(HandshakeTest, BothSidesKnowWhoTheOtherIs) {
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  const auto* at_server = pair->server->tls();
  EXPECT_TRUE(at_server->peer_certificate_presented);
  EXPECT_TRUE(at_server->peer_certificate_validated);
  EXPECT_EQ(at_server->peer_principal(), kClientId);
  EXPECT_THAT(at_server->local_uri_sans, ElementsAre(kServerId));
  const auto* at_client = pair->client->tls();
  EXPECT_TRUE(at_client->peer_certificate_validated);
  EXPECT_EQ(at_client->peer_principal(), kServerId);
  EXPECT_THAT(at_client->local_uri_sans, ElementsAre(kClientId));
  EXPECT_EQ(at_client->peer_issuer, "CN=root");
  EXPECT_EQ(at_client->peer_certificate_sha256.size(), 64u);
}

TEST_F(HandshakeTest, PrefersTls13) {
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  EXPECT_EQ(pair->server->tls()->version, "TLSv1.3");
  EXPECT_EQ(pair->client->tls()->version, "TLSv1.3");
}

class EachVersionTest : public HandshakeTest, public testing::WithParamInterface<Version> {
 protected:
  EachVersionTest() { limit_to(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(, EachVersionTest, testing::Values(Version::Tls12, Version::Tls13),
                         [](const auto& info) {
                           return std::string(info.param == Version::Tls12 ? "Tls12" : "Tls13");
                         });

TEST_P(EachVersionTest, CarriesBytesBothWays) {
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  pair->client->write("question");
  ASSERT_TRUE(until([&] { return pair->at_server.received == "question"; }));
  pair->server->write("answer");
  EXPECT_TRUE(until([&] { return pair->at_client.received == "answer"; }));
}

TEST_P(EachVersionTest, SendsWhatWasWrittenDuringTheHandshake) {
  auto pair = connect();
  pair->client->write("early");
  pair->server->write("bird");
  EXPECT_TRUE(until([&] { return pair->at_server.received == "early"; }));
  EXPECT_TRUE(until([&] { return pair->at_client.received == "bird"; }));
}

TEST_P(EachVersionTest, RefusesAClientWithoutACertificate) {
  client_.certificates.clear();
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("PEER_DID_NOT_RETURN_A_CERTIFICATE"));
}

TEST_P(EachVersionTest, LetsAClientWithoutACertificateInWhereItIsNotRequired) {
  server_.require_client_certificate = false;
  client_.certificates.clear();
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  EXPECT_FALSE(pair->server->tls()->peer_certificate_presented);
  EXPECT_FALSE(pair->server->tls()->peer_certificate_validated);
  EXPECT_EQ(pair->server->tls()->peer_principal(), "");
}

TEST_P(EachVersionTest, RefusesAClientOfAnotherAuthority) {
  client_.certificates = {stranger_.issue({.names = uri(kClientId)}).material()};
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("verify cert failed"));
}

TEST_P(EachVersionTest, RefusesAClientOfAnotherAuthorityEvenWhereNoneIsRequired) {
  server_.require_client_certificate = false;
  client_.certificates = {stranger_.issue({.names = uri(kClientId)}).material()};
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("CERTIFICATE_VERIFY_FAILED"));
}

TEST_P(EachVersionTest, RefusesASelfSignedClientThatBearsTheAuthoritysName) {
  client_.certificates = {
      TestCertificate::self_signed({.common_name = "root", .names = uri(kClientId)}).material()};
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("verify cert failed"));
}

TEST_P(EachVersionTest, RefusesACertificateThatWasIssuedByOneThatIsNoAuthority) {
  const auto leaf = authority_.issue({.names = uri(kClientId)});
  const auto forged = leaf.issue({.names = uri("spiffe://mesh/ns/default/sa/admin")});
  client_.certificates = {forged.material(leaf.pem())};
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("verify cert failed"));
}

TEST_P(EachVersionTest, RefusesAnExpiredClient) {
  client_.certificates = {
      authority_.issue({.names = uri(kClientId), .begins_in = -7200, .ends_in = -60}).material()};
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("certificate has expired"));
}

TEST_P(EachVersionTest, RefusesAClientFromTheFuture) {
  client_.certificates = {
      authority_.issue({.names = uri(kClientId), .begins_in = 3600}).material()};
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("not yet valid"));
}

TEST_P(EachVersionTest, LetsAnExpiredClientInWhereThatIsAllowed) {
  server_.verification->allow_expired = true;
  client_.certificates = {
      authority_.issue({.names = uri(kClientId), .begins_in = -7200, .ends_in = -60}).material()};
  auto pair = connect();
  EXPECT_TRUE(open(*pair));
}

TEST_P(EachVersionTest, RefusesAServerOfAnotherAuthority) {
  server_.certificates = {stranger_.issue({.names = uri(kServerId)}).material()};
  auto pair = connect();
  EXPECT_THAT(client_refusal(*pair), HasSubstr("verify cert failed"));
}

TEST_P(EachVersionTest, RefusesAServerByItsName) {
  server_.certificates = {
      authority_.issue({.names = uri("spiffe://mesh/ns/default/sa/mallory")}).material()};
  auto pair = connect();
  EXPECT_THAT(client_refusal(*pair), HasSubstr("verify cert failed: SAN matcher"));
}

TEST_P(EachVersionTest, DoesNotTakeADnsNameForAUri) {
  server_.certificates = {
      authority_.issue({.names = "DNS:" + std::string("spiffe") + ",URI:urn:other"}).material()};
  auto pair = connect();
  EXPECT_THAT(client_refusal(*pair), HasSubstr("SAN matcher"));
}

TEST_P(EachVersionTest, RefusesAClientWithoutAnyName) {
  server_.verification->sans = {exactly(SanType::Uri, kClientId)};
  client_.certificates = {authority_.issue({}).material()};
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("SAN matcher"));
}

TEST_P(EachVersionTest, AcceptsAChainWithAnIntermediate) {
  const auto intermediate =
      authority_.issue({.common_name = "intermediate", .names = "", .authority = true});
  client_.certificates = {
      intermediate.issue({.names = uri(kClientId)}).material(intermediate.pem())};
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  EXPECT_EQ(pair->server->tls()->peer_principal(), kClientId);
}

TEST_P(EachVersionTest, RefusesAChainThatLacksItsIntermediate) {
  const auto intermediate =
      authority_.issue({.common_name = "intermediate", .names = "", .authority = true});
  client_.certificates = {intermediate.issue({.names = uri(kClientId)}).material()};
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("verify cert failed"));
}

TEST_P(EachVersionTest, AcceptsTwoAuthoritiesDuringARotationOfTheRoot) {
  server_.verification->trusted_ca_pem = stranger_.pem() + authority_.pem();
  auto pair = connect();
  EXPECT_TRUE(open(*pair));
}

TEST_P(EachVersionTest, MarksAnUntrustedPeerThatIsAcceptedAllTheSame) {
  server_.verification->accept_untrusted = true;
  client_.certificates = {stranger_.issue({.names = uri(kClientId)}).material()};
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  EXPECT_TRUE(pair->server->tls()->peer_certificate_presented);
  EXPECT_FALSE(pair->server->tls()->peer_certificate_validated);
}

TEST_P(EachVersionTest, AcceptsOnlyAPinnedCertificate) {
  const auto pinned = authority_.issue({.names = uri(kClientId)});
  server_.verification->certificate_sha256 = {certificate_sha256(pinned.get())};
  auto refused = connect();
  EXPECT_THAT(server_refusal(*refused), HasSubstr("cert hash and spki"));
  client_.certificates = {pinned.material()};
  auto accepted = connect();
  EXPECT_TRUE(open(*accepted));
}

TEST_P(EachVersionTest, PicksTheAlpnProtocolByTheServersOrder) {
  server_.alpn = {"h2", "http/1.1"};
  client_.alpn = {"http/1.1", "h2"};
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  EXPECT_EQ(pair->server->tls()->alpn, "h2");
  EXPECT_EQ(pair->client->tls()->alpn, "h2");
}

TEST_P(EachVersionTest, GoesOnWithoutAlpnWhereNoProtocolIsShared) {
  server_.alpn = {"h2"};
  client_.alpn = {"istio"};
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  EXPECT_EQ(pair->server->tls()->alpn, "");
}

TEST_P(EachVersionTest, OffersTheConnectionsOwnAlpnInsteadOfTheConfigured) {
  server_.alpn = {"h2", "istio-h2"};
  client_.alpn = {"h2"};
  const std::vector<std::string> own = {"istio-h2"};
  auto pair = connect(built(Context::client(client_)), built(Context::server(server_)),
                      {.server_name = {}, .alpn = own});
  ASSERT_TRUE(open(*pair));
  EXPECT_EQ(pair->server->tls()->alpn, "istio-h2");
}

TEST_P(EachVersionTest, ChoosesTheCertificateByServerName) {
  server_.certificates = {authority_.issue({.names = "DNS:default.example"}).material(),
                          authority_.issue({.names = "DNS:*.wild.example"}).material(),
                          authority_.issue({.names = "DNS:a.wild.example"}).material()};
  client_.verification->sans.clear();
  const auto server = built(Context::server(server_));
  const auto presented = [&](const std::string& name) {
    client_.server_name = name;
    auto pair = connect(built(Context::client(client_)), server);
    EXPECT_TRUE(open(*pair));
    EXPECT_EQ(pair->server->tls()->server_name, name);
    const auto& names = pair->client->tls()->peer_dns_sans;
    return names.empty() ? std::string() : names.front();
  };
  EXPECT_EQ(presented("default.example"), "default.example");
  EXPECT_EQ(presented("b.wild.example"), "*.wild.example");
  EXPECT_EQ(presented("a.wild.example"), "a.wild.example") << "exact before wildcard";
  EXPECT_EQ(presented("A.Wild.Example"), "a.wild.example") << "names have no case";
  EXPECT_EQ(presented("deep.b.wild.example"), "default.example") << "a wildcard is one label";
  EXPECT_EQ(presented("unknown.example"), "default.example");
}

TEST_P(EachVersionTest, VerifiesTheClientWithEachOfItsCertificates) {
  server_.certificates.push_back(authority_.issue({.names = "DNS:second.example"}).material());
  client_.verification->sans.clear();
  client_.server_name = "second.example";
  client_.certificates.clear();
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("PEER_DID_NOT_RETURN_A_CERTIFICATE"));
}

TEST_P(EachVersionTest, RefusesAnUnknownServerNameWhereItMustMatch) {
  server_.certificates = {authority_.issue({.names = "DNS:known.example"}).material()};
  server_.require_sni_match = true;
  client_.server_name = "unknown.example";
  auto pair = connect();
  server_refusal(*pair);
  EXPECT_THAT(client_refusal(*pair), HasSubstr("UNRECOGNIZED_NAME"));
}

TEST_P(EachVersionTest, ResumesASessionAndStillKnowsThePeer) {
  const auto client = built(Context::client(client_)), server = built(Context::server(server_));
  auto first = connect(client, server);
  ASSERT_TRUE(open(*first));
  first->server->write("with the ticket");
  ASSERT_TRUE(until([&] { return !first->at_client.received.empty(); }));
  auto second = connect(client, server);
  ASSERT_TRUE(open(*second));
  EXPECT_TRUE(second->server->tls()->resumed);
  EXPECT_EQ(second->server->tls()->peer_principal(), kClientId);
  EXPECT_TRUE(second->server->tls()->peer_certificate_validated);
  EXPECT_EQ(second->client->tls()->peer_principal(), kServerId);
}

TEST_P(EachVersionTest, DoesNotResumeASessionOfAnotherContext) {
  const auto client = built(Context::client(client_));
  auto first = connect(client, built(Context::server(server_)));
  ASSERT_TRUE(open(*first));
  first->server->write("with the ticket");
  ASSERT_TRUE(until([&] { return !first->at_client.received.empty(); }));
  auto second = connect(client, built(Context::server(server_)));
  ASSERT_TRUE(open(*second));
  EXPECT_FALSE(second->server->tls()->resumed);
}

TEST_P(EachVersionTest, CarriesMuchWithBackpressure) {
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  std::string much(8 << 20, '\0');
  for (size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 31 >> 8);
  pair->client->set_write_watermark(64 * 1024);
  pair->server->read_disable(true);
  pair->client->write(much);
  EXPECT_EQ(pair->at_client.above, 1);
  for (int i = 0; i < 5; ++i) loop_.run_once(Milliseconds(1));
  EXPECT_EQ(pair->at_client.below, 0);
  EXPECT_EQ(pair->at_server.received, "");
  pair->server->read_disable(false);
  ASSERT_TRUE(until([&] { return pair->at_server.received.size() >= much.size(); }));
  EXPECT_TRUE(pair->at_server.received == much);
  EXPECT_EQ(pair->at_client.below, 1);
}

TEST_P(EachVersionTest, HandsOverBufferedBytesWhenReadingIsEnabledAgain) {
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  pair->at_server.data_action = [&](net::Buffer& input) {
    pair->at_server.received += input.view();
    input.clear();
    pair->server->read_disable(true);
  };
  const std::string records(300 * 1024, 'r');
  pair->client->write(records);
  while (pair->at_server.received.size() < records.size()) {
    const size_t before = pair->at_server.received.size();
    ASSERT_TRUE(until([&] { return pair->at_server.received.size() > before; }))
        << "stuck after " << before;
    pair->server->read_disable(false);
  }
}

TEST_P(EachVersionTest, WritesEverythingBeforeAFlushingClose) {
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  const std::string much(4 << 20, 'm');
  pair->server->write(much);
  pair->server->close(net::CloseType::FlushWrite);
  ASSERT_TRUE(until([&] { return pair->at_client.closed(); }));
  EXPECT_EQ(pair->at_client.received.size(), much.size());
}

TEST_P(EachVersionTest, EndsOneDirectionWithCloseNotify) {
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  pair->server->enable_half_close(true);
  pair->client->enable_half_close(true);
  const std::string much(4 << 20, 'm');
  pair->client->write(much);
  pair->client->shutdown_write();
  ASSERT_TRUE(until([&] { return pair->at_server.ended || pair->at_server.closed(); }));
  EXPECT_TRUE(pair->at_server.ended) << pair->server->transport_failure_reason();
  EXPECT_EQ(pair->at_server.received.size(), much.size());
  pair->server->write("still here");
  EXPECT_TRUE(until([&] { return pair->at_client.received == "still here"; }));
}

TEST_P(EachVersionTest, DoesNotTakeATruncationForAnEnd) {
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  pair->server->enable_half_close(true);
  pair->client->close(net::CloseType::NoFlush);
  ASSERT_TRUE(until([&] { return pair->at_server.closed(); }));
  EXPECT_FALSE(pair->at_server.ended);
}

TEST_F(HandshakeTest, RefusesAVersionBelowItsOwn) {
  server_.minimum = Version::Tls13;
  client_.maximum = Version::Tls12;
  auto pair = connect();
  EXPECT_THAT(server_refusal(*pair), HasSubstr("UNSUPPORTED_PROTOCOL"));
}

TEST_F(HandshakeTest, RefusesPlaintext) {
  const auto server = built(Context::server(server_));
  auto pair =
      net::connect_pair(loop_, net::make_raw_transport_socket, [&] { return server->create({}); });
  pair->server->start();
  pair->client->write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_THAT(server_refusal(*pair), HasSubstr("HTTP_REQUEST"));
}

TEST_F(HandshakeTest, SaysThatTheConnectionWasClosedDuringTheHandshake) {
  const auto server = built(Context::server(server_));
  auto pair =
      net::connect_pair(loop_, net::make_raw_transport_socket, [&] { return server->create({}); });
  pair->server->start();
  pair->client->close(net::CloseType::NoFlush);
  EXPECT_THAT(server_refusal(*pair), HasSubstr("TLS_error:"));
}

TEST_F(HandshakeTest, VerifiesNothingWithoutAValidationContext) {
  server_.verification.reset();
  server_.require_client_certificate = false;
  client_.verification.reset();
  auto pair = connect();
  ASSERT_TRUE(open(*pair));
  EXPECT_FALSE(pair->client->tls()->peer_certificate_validated);
  EXPECT_TRUE(pair->client->tls()->peer_certificate_presented);
}

TEST_F(HandshakeTest, KeepsItsContextAliveAsLongAsAConnection) {
  auto client = built(Context::client(client_)), server = built(Context::server(server_));
  auto pair = connect(client, server);
  client.reset();
  server.reset();
  EXPECT_TRUE(open(*pair));
}

TEST(Context, RefusesAKeyThatDoesNotBelongToTheCertificate) {
  const auto authority = TestCertificate::authority("root");
  auto material = authority.issue({}).material();
  material.private_key_pem = authority.issue({}).key_pem();
  Options options;
  options.certificates = {material};
  const auto context = Context::server(options);
  ASSERT_FALSE(context);
  EXPECT_THAT(context.error().message, HasSubstr("does not belong to the certificate"));
}

TEST(Context, RefusesAServerWithoutACertificate) {
  EXPECT_FALSE(Context::server({}));
}

TEST(Context, RefusesABrokenAuthority) {
  Options options;
  options.verification = Verification{.trusted_ca_pem = "nonsense"};
  const auto context = Context::client(options);
  ASSERT_FALSE(context);
  EXPECT_THAT(context.error().message, HasSubstr("no PEM certificate"));
}

TEST(Context, RefusesNamesWithoutAnAuthority) {
  Options options;
  options.verification = Verification{.sans = {exactly(SanType::Uri, "spiffe://a")}};
  EXPECT_FALSE(Context::client(options));
}

TEST(DnsNames, AWildcardCoversExactlyOneLabel) {
  EXPECT_TRUE(dns_name_matches("*.example.com", "a.example.com"));
  EXPECT_FALSE(dns_name_matches("*.example.com", "example.com"));
  EXPECT_FALSE(dns_name_matches("*.example.com", "a.b.example.com"));
  EXPECT_FALSE(dns_name_matches("*.example.com", ".example.com"));
  EXPECT_TRUE(dns_name_matches("Example.com", "example.COM"));
}

}  // namespace
}  // namespace sennit::tls

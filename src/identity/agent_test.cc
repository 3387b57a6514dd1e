#include "identity/agent.h"

#include <envoy/extensions/transport_sockets/tls/v3/secret.pb.h>
#include <envoy/service/secret/v3/sds.grpc.pb.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "identity/sds_server.h"
#include "mesh/ca/authority.h"
#include "mesh/ca/service.h"

namespace sennit::identity {
namespace {

constexpr char kToken[] = "0123456789abcdef0123456789abcdef";
const pki::WorkloadIdentity kReviews{"cluster.local", "default", "reviews"};

// A certificate service on a loopback port, as the control plane runs it.
class AgentTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "agent-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    authority_ = std::move(*mesh::Authority::open({.state = directory_ / "state"}));
    service_ = std::make_unique<mesh::CertificateService>(*authority_, kToken);
    auto certificate = *authority_->issue_server({"localhost", "127.0.0.1"});
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = authority_->root_pem();
    tls.pem_key_cert_pairs.push_back({certificate.key_pem, certificate.chain_pem});
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port_);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
  }
  void TearDown() override {
    server_->Shutdown(std::chrono::system_clock::now());
    std::filesystem::remove_all(directory_);
  }

  CaClient::Options client(std::string token) {
    return {.address = "127.0.0.1:" + std::to_string(port_),
            .server_name = "localhost",
            .root_pem = authority_->root_pem(),
            .token = std::move(token)};
  }
  static auto soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(10); }
  static auto at_once() { return std::chrono::steady_clock::now(); }

  std::filesystem::path directory_;
  std::unique_ptr<mesh::Authority> authority_;
  std::unique_ptr<mesh::CertificateService> service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

TEST_F(AgentTest, GetsACertificateByTheJoinToken) {
  CaClient ca(client(kToken));
  Agent agent({.identity = kReviews}, ca, [](const Credentials&) {});
  Status started = agent.start(soon());
  ASSERT_TRUE(started.has_value()) << started.error().message;
  auto leaf = pki::certificate_from_pem(agent.current()->chain);
  EXPECT_EQ(pki::facts(*leaf).uri_sans.front(), kReviews.spiffe_id());
  EXPECT_EQ(agent.current()->trust_bundle, authority_->root_pem());
}

TEST_F(AgentTest, IsRefusedWithoutProof) {
  CaClient ca(client("wrong"));
  Agent agent({.identity = kReviews}, ca, [](const Credentials&) {});
  Status started = agent.start(at_once());
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message.find("join token"), std::string::npos);
}

TEST_F(AgentTest, ACertificateRenewsItselfAndNothingElse) {
  CaClient ca(client(kToken));
  Agent agent({.identity = kReviews}, ca, [](const Credentials&) {});
  ASSERT_TRUE(agent.start(soon()).has_value());
  CaClient renewal(client(""));
  renewal.use_certificate(agent.current()->key, agent.current()->chain);
  pki::Key key = *pki::generate_key();
  EXPECT_TRUE(renewal.sign(*pki::make_request(key, kReviews.spiffe_id()), {}).has_value());
  EXPECT_FALSE(
      renewal.sign(*pki::make_request(key, "spiffe://cluster.local/ns/default/sa/admin"), {})
          .has_value());
}

TEST_F(AgentTest, RenewsBeforeTheCertificateEnds) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Credentials> seen;
  CaClient ca(client(kToken));
  Agent agent({.identity = kReviews, .lifetime = std::chrono::seconds(2)}, ca,
              [&](const Credentials& credentials) {
                std::lock_guard lock(mutex);
                seen.push_back(credentials);
                changed.notify_all();
              });
  ASSERT_TRUE(agent.start(soon()).has_value());
  std::unique_lock lock(mutex);
  ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(10), [&] { return seen.size() >= 2; }));
  EXPECT_NE(seen[0].key, seen[1].key);
  EXPECT_LT(std::chrono::system_clock::now(), seen[0].not_after);
}

// Reads one response of a state-of-the-world SDS stream.
class SdsReader {
 public:
  explicit SdsReader(const std::filesystem::path& socket)
      : stub_(envoy::service::secret::v3::SecretDiscoveryService::NewStub(
            grpc::CreateChannel("unix:" + socket.string(), grpc::InsecureChannelCredentials()))),
        stream_(stub_->StreamSecrets(&context_)) {}
  ~SdsReader() { context_.TryCancel(); }
  void subscribe(std::initializer_list<std::string> names) {
    envoy::service::discovery::v3::DiscoveryRequest request;
    request.set_type_url(std::string(kSecretType));
    for (const std::string& name : names) request.add_resource_names(name);
    stream_->Write(request);
  }
  std::map<std::string, envoy::extensions::transport_sockets::tls::v3::Secret> read() {
    envoy::service::discovery::v3::DiscoveryResponse response;
    std::map<std::string, envoy::extensions::transport_sockets::tls::v3::Secret> secrets;
    if (!stream_->Read(&response)) return secrets;
    for (const auto& resource : response.resources()) {
      envoy::extensions::transport_sockets::tls::v3::Secret secret;
      resource.UnpackTo(&secret);
      secrets[secret.name()] = secret;
    }
    return secrets;
  }

 private:
  static constexpr std::string_view kSecretType =
      "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
  grpc::ClientContext context_;
  std::unique_ptr<envoy::service::secret::v3::SecretDiscoveryService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<envoy::service::discovery::v3::DiscoveryRequest,
                                           envoy::service::discovery::v3::DiscoveryResponse>>
      stream_;
};

TEST_F(AgentTest, TheSdsServerHandsOutSecretsAndPushesNewOnes) {
  auto sds = SdsServer::listen(directory_ / "sds.sock");
  ASSERT_TRUE(sds.has_value()) << sds.error().message;
  SdsReader reader(directory_ / "sds.sock");
  reader.subscribe({"default", "ROOTCA"});
  (*sds)->update({.key = "key-1", .chain = "chain-1", .trust_bundle = "root-1"});
  auto first = reader.read();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first["default"].tls_certificate().private_key().inline_bytes(), "key-1");
  EXPECT_EQ(first["ROOTCA"].validation_context().trusted_ca().inline_bytes(), "root-1");
  (*sds)->update({.key = "key-2", .chain = "chain-2", .trust_bundle = "root-1"});
  auto second = reader.read();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second["default"].tls_certificate().certificate_chain().inline_bytes(), "chain-2");
}

}  // namespace
}  // namespace sennit::identity

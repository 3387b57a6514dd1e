#include "mesh/translate/mtls.h"

#include <envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h>
#include <envoy/extensions/transport_sockets/tls/v3/tls.pb.h>
#include <fmt/format.h>

namespace sennit::mesh {

namespace {

namespace tls = envoy::extensions::transport_sockets::tls::v3;
using envoy::config::core::v3::TransportSocket;

// What Istio lets clients of the mesh negotiate below TLS 1.3.
constexpr const char* kServerCiphers[] = {
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",   "AES256-GCM-SHA384",           "AES128-GCM-SHA256"};

tls::SdsSecretConfig sds(const std::string& name, bool wait) {
  tls::SdsSecretConfig out;
  out.set_name(name);
  auto* source = out.mutable_sds_config();
  auto* api_source = source->mutable_api_config_source();
  api_source->set_api_type(envoy::config::core::v3::ApiConfigSource::GRPC);
  api_source->set_transport_api_version(envoy::config::core::v3::V3);
  api_source->set_set_node_on_first_message_only(true);
  api_source->add_grpc_services()->mutable_envoy_grpc()->set_cluster_name("sds-grpc");
  source->set_resource_api_version(envoy::config::core::v3::V3);
  // The workload's own certificate is worth waiting for without an end.
  if (wait) *source->mutable_initial_fetch_timeout() = seconds(0);
  return out;
}

void protocol_range(tls::CommonTlsContext& common) {
  common.mutable_tls_params()->set_tls_minimum_protocol_version(tls::TlsParameters::TLSv1_2);
  common.mutable_tls_params()->set_tls_maximum_protocol_version(tls::TlsParameters::TLSv1_3);
}

void expect_names(tls::CertificateValidationContext& validation,
                  const std::vector<std::string>& names) {
  for (const auto& name : names) validation.add_match_subject_alt_names()->set_exact(name);
}

TransportSocket socket_of(const google::protobuf::Message& context) {
  TransportSocket out;
  out.set_name("envoy.transport_sockets.tls");
  *out.mutable_typed_config() = pack(context);
  return out;
}

std::string file_certificate(const std::string& certificate, const std::string& key) {
  return fmt::format("file-cert:{}~{}", certificate, key);
}

tls::CertificateValidationContext* validate_by(tls::CommonTlsContext& common,
                                               const std::string& secret, bool wait) {
  auto* combined = common.mutable_combined_validation_context();
  *combined->mutable_validation_context_sds_secret_config() = sds(secret, wait);
  return combined->mutable_default_validation_context();
}

}  // namespace

TransportSocket raw_buffer() {
  TransportSocket out;
  out.set_name("envoy.transport_sockets.raw_buffer");
  *out.mutable_typed_config() =
      pack(envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer());
  return out;
}

TransportSocket istio_mutual_client(const std::vector<std::string>& subject_alt_names,
                                    const std::string& sni, bool http2) {
  tls::UpstreamTlsContext context;
  auto& common = *context.mutable_common_tls_context();
  protocol_range(common);
  common.add_alpn_protocols("istio-peer-exchange");
  common.add_alpn_protocols("istio");
  if (http2) common.add_alpn_protocols("h2");
  *common.add_tls_certificate_sds_secret_configs() = sds("default", true);
  expect_names(*validate_by(common, "ROOTCA", true), subject_alt_names);
  context.set_sni(sni);
  return socket_of(context);
}

TransportSocket originated_tls(const api::ClientTLSSettings& settings,
                               const std::vector<std::string>& default_names, bool http2,
                               bool follows_client) {
  tls::UpstreamTlsContext context;
  auto& common = *context.mutable_common_tls_context();
  protocol_range(common);
  if (http2) common.add_alpn_protocols("h2");
  if (follows_client) {
    common.add_alpn_protocols("h2");
    common.add_alpn_protocols("http/1.1");
  }
  if (settings.mode() == api::ClientTLSSettings::MUTUAL) {
    *common.add_tls_certificate_sds_secret_configs() =
        sds(file_certificate(settings.client_certificate(), settings.private_key()), false);
  }
  if (!settings.insecure_skip_verify()) {
    std::vector<std::string> names(settings.subject_alt_names().begin(),
                                   settings.subject_alt_names().end());
    const std::string& roots = settings.ca_certificates();
    auto* validation =
        validate_by(common, "file-root:" + (roots.empty() ? std::string("system") : roots), false);
    expect_names(*validation, names.empty() ? default_names : names);
  }
  context.set_sni(settings.sni());
  return socket_of(context);
}

TransportSocket istio_mutual_server(const Mesh& mesh, bool http) {
  tls::DownstreamTlsContext context;
  auto& common = *context.mutable_common_tls_context();
  protocol_range(common);
  for (const char* cipher : kServerCiphers) common.mutable_tls_params()->add_cipher_suites(cipher);
  if (!http) common.add_alpn_protocols("istio-peer-exchange");
  common.add_alpn_protocols("h2");
  common.add_alpn_protocols("http/1.1");
  *common.add_tls_certificate_sds_secret_configs() = sds("default", true);
  auto* validation = validate_by(common, "ROOTCA", true);
  auto admit = [&](const std::string& trust_domain) {
    validation->add_match_subject_alt_names()->set_prefix("spiffe://" + trust_domain + "/");
  };
  admit(mesh.trust_domain());
  for (const auto& alias : mesh.config().trust_domain_aliases()) admit(alias);
  context.mutable_require_client_certificate()->set_value(true);
  return socket_of(context);
}

TransportSocket gateway_server_tls(const api::ServerTLSSettings& settings, const Mesh& mesh,
                                   bool http) {
  using Settings = api::ServerTLSSettings;
  if (settings.mode() == Settings::ISTIO_MUTUAL) return istio_mutual_server(mesh, http);
  tls::DownstreamTlsContext context;
  auto& common = *context.mutable_common_tls_context();
  auto version = [](Settings::TLSProtocol written) {
    return static_cast<tls::TlsParameters::TlsProtocol>(static_cast<int>(written));
  };
  auto& params = *common.mutable_tls_params();
  params.set_tls_minimum_protocol_version(settings.min_protocol_version() == Settings::TLS_AUTO
                                              ? tls::TlsParameters::TLSv1_2
                                              : version(settings.min_protocol_version()));
  if (settings.max_protocol_version() != Settings::TLS_AUTO) {
    params.set_tls_maximum_protocol_version(version(settings.max_protocol_version()));
  }
  *params.mutable_cipher_suites() = settings.cipher_suites();
  if (http) {
    common.add_alpn_protocols("h2");
    common.add_alpn_protocols("http/1.1");
  }
  const std::string& credential = settings.credential_name();
  *common.add_tls_certificate_sds_secret_configs() = sds(
      credential.empty() ? file_certificate(settings.server_certificate(), settings.private_key())
                         : "kubernetes://" + credential,
      false);
  bool wants_client =
      settings.mode() == Settings::MUTUAL || settings.mode() == Settings::OPTIONAL_MUTUAL;
  if (wants_client) {
    std::string roots = credential.empty() ? "file-root:" + settings.ca_certificates()
                                           : "kubernetes://" + credential + "-cacert";
    auto* validation = validate_by(common, roots, false);
    expect_names(*validation,
                 {settings.subject_alt_names().begin(), settings.subject_alt_names().end()});
    if (settings.mode() == Settings::OPTIONAL_MUTUAL) {
      validation->set_trust_chain_verification(
          tls::CertificateValidationContext::VERIFY_TRUST_CHAIN);
    }
  }
  context.mutable_require_client_certificate()->set_value(settings.mode() == Settings::MUTUAL);
  return socket_of(context);
}

}  // namespace sennit::mesh

#include "proxy/tls/supported_tls_fields.h"

namespace sennit::proxy {

const SupportedFields& supported_tls_fields() {
  static const SupportedFields table = {
      {"envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
       {"common_tls_context", "require_client_certificate", "require_sni", "session_timeout",
        "session_ticket_keys", "disable_stateless_session_resumption",
        "disable_stateful_session_resumption", "full_scan_certs_on_sni_mismatch"}},
      {"envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
       {"common_tls_context", "sni", "allow_renegotiation", "max_session_keys"}},
      {"envoy.extensions.transport_sockets.tls.v3.CommonTlsContext",
       {"tls_params", "tls_certificates", "tls_certificate_sds_secret_configs",
        "validation_context", "validation_context_sds_secret_config", "combined_validation_context",
        "alpn_protocols"}},
      {"envoy.extensions.transport_sockets.tls.v3.CommonTlsContext."
       "CombinedCertificateValidationContext",
       {"default_validation_context", "validation_context_sds_secret_config"}},
      {"envoy.extensions.transport_sockets.tls.v3.TlsParameters",
       {"tls_minimum_protocol_version", "tls_maximum_protocol_version", "cipher_suites",
        "ecdh_curves", "signature_algorithms"}},
      {"envoy.extensions.transport_sockets.tls.v3.TlsCertificate",
       {"certificate_chain", "private_key", "password"}},
      {"envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys", {"keys"}},
      {"envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext",
       {"trusted_ca", "crl", "only_verify_leaf_cert_crl", "verify_certificate_spki",
        "verify_certificate_hash", "match_typed_subject_alt_names", "match_subject_alt_names",
        "allow_expired_certificate", "trust_chain_verification", "max_verify_depth"}},
      {"envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher", {"san_type", "matcher"}},
      {"envoy.extensions.transport_sockets.tls.v3.Secret",
       {"name", "tls_certificate", "validation_context", "session_ticket_keys"}},
      {"envoy.config.core.v3.DataSource",
       {"filename", "inline_bytes", "inline_string", "environment_variable"}},
      {"envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", {}},
  };
  return table;
}

}  // namespace sennit::proxy

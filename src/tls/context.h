// TLS as one side of connections uses it: certificates, trust, parameters. Immutable and shared by
// all threads; a rotation makes a new context, connections that exist keep theirs (AWS-LC).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/connection.h"

namespace sennit::tls {

struct Certificate {
  std::string chain_pem;  // the leaf first, then its issuers
  std::string private_key_pem;
  std::string password;  // of an encrypted key
};

enum class SanType { Dns, Uri, Email, Ip };

// One acceptable subject alternative name. `matches` gets each name of the type in turn.
struct SanMatcher {
  SanType type;
  std::function<bool(std::string_view)> matches;
};

// How the peer is judged. Empty trusted_ca_pem: its chain is not verified (Envoy does the same).
struct Verification {
  std::string trusted_ca_pem;
  std::string crl_pem;  // revoked certificates; every CA needs a list then
  bool crl_leaf_only = false;
  std::vector<SanMatcher> sans;                 // one must match; empty: any name
  std::vector<std::string> certificate_sha256;  // 32 raw bytes each; one of these or of
  std::vector<std::string> spki_sha256;         // these must match, where there are any
  bool allow_expired = false;
  bool accept_untrusted = false;      // let the handshake pass, mark the peer not validated
  std::optional<uint32_t> max_depth;  // intermediates between the leaf and the anchor
};

enum class Version { Auto, Tls10, Tls11, Tls12, Tls13 };

struct Options {
  std::vector<Certificate> certificates;  // a server needs one; several: chosen by SNI
  std::optional<Verification> verification;
  std::vector<std::string> alpn;  // in order of preference; a server picks by its own order
  Version minimum = Version::Auto, maximum = Version::Auto;  // Auto: 1.2 and 1.3
  std::vector<std::string> cipher_suites;  // TLS 1.2, OpenSSL's names; empty: AEAD with ECDHE only
  std::vector<std::string> curves;
  std::vector<std::string> signature_algorithms;
  // Server
  bool require_client_certificate = false;
  bool session_tickets = true;
  std::vector<std::string> ticket_keys;  // 80 bytes each, the first encrypts; empty: random
  std::optional<std::chrono::seconds> session_timeout;
  bool require_sni_match = false;  // refuse an SNI that no certificate has
  // Client
  std::string server_name;  // SNI; empty: none
  bool resume_sessions = true;
  bool allow_renegotiation = false;
};

// What one connection adds to its context.
struct ConnectionOptions {
  std::string_view server_name;       // instead of the configured one; empty: that one
  std::span<const std::string> alpn;  // instead of the configured list; empty: that one
};

class Context {
 public:
  // Errors name what is wrong with which material, never key bytes.
  static Result<std::shared_ptr<const Context>> server(const Options& options);
  static Result<std::shared_ptr<const Context>> client(const Options& options);
  virtual ~Context() = default;

  // The security layer of a new connection; it keeps the context alive.
  virtual std::unique_ptr<net::TransportSocket> create(const ConnectionOptions& options) const = 0;
};

// What a PEM certificate says, for admin pages and expiry gauges.
struct CertificateFacts {
  std::string subject, serial;  // RFC 2253, hex
  std::vector<std::string> uri_sans, dns_sans;
  std::chrono::system_clock::time_point not_before, not_after;
};
Result<std::vector<CertificateFacts>> certificate_facts(std::string_view pem);

// RFC 6125 comparison of a name with one from a certificate: "*.example.com" covers one label.
bool dns_name_matches(std::string_view certificate_name, std::string_view name);

}  // namespace sennit::tls

// Keys, certificate requests and X.509 SVIDs (SPIFFE's certificates), over OpenSSL: what the
// certificate authority and the identity module share. The proxy does not use this room (its TLS
// is AWS-LC). Everything is PEM at the edges; values own what they hold; thread-compatible.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sennit::pki {

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertificateDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct RequestDeleter {
  void operator()(X509_REQ* request) const { X509_REQ_free(request); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyDeleter>;
using Certificate = std::unique_ptr<X509, CertificateDeleter>;
using Request = std::unique_ptr<X509_REQ, RequestDeleter>;

enum class KeyType { EcdsaP256, Rsa2048 };
Result<Key> generate_key(KeyType type = KeyType::EcdsaP256);
Result<std::string> key_to_pem(const Key& key);  // PKCS #8, unencrypted
Result<Key> key_from_pem(std::string_view pem);

// A request for an SVID: empty subject, the SPIFFE ID as the only URI SAN, signed by `key`.
Result<std::string> make_request(const Key& key, std::string_view spiffe_id);
// Parses and checks the request's own signature (proof that the sender holds the key).
Result<Request> request_from_pem(std::string_view pem);
// The URI SANs that a request asks for; other kinds of SAN are listed in `others`.
struct RequestedNames {
  std::vector<std::string> uris;
  std::vector<std::string> others;
};
RequestedNames requested_names(const Request& request);

Result<Certificate> certificate_from_pem(std::string_view pem);
Result<std::vector<Certificate>> chain_from_pem(std::string_view pem);
std::string certificate_to_pem(const Certificate& certificate);

struct CertificateFacts {
  std::string serial;  // hex
  std::string subject, issuer;
  std::vector<std::string> uri_sans, dns_sans;
  std::chrono::system_clock::time_point not_before, not_after;
};
CertificateFacts facts(const Certificate& certificate);
// The certificate was made for this key.
bool matches(const Certificate& certificate, const Key& key);

struct LeafOptions {
  std::string spiffe_id;  // URI SAN; empty for a server certificate with only DNS names
  std::vector<std::string> dns_names;  // and IP literals
  std::chrono::seconds lifetime{86400};
  std::chrono::seconds backdate{60};  // tolerated clock skew between CA and verifier
};
Result<Certificate> make_root(const Key& key, std::string_view trust_domain,
                              std::chrono::seconds lifetime);
// `public_key` is the request's; the issuer signs. Key usage and extended usage as SPIFFE's X.509
// SVID document asks (digitalSignature; serverAuth and clientAuth; not a CA).
Result<Certificate> issue(const Key& issuer_key, const Certificate& issuer, EVP_PKEY* public_key,
                          const LeafOptions& options);

// "spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT" and back.
struct WorkloadIdentity {
  std::string trust_domain, namespace_, service_account;
  std::string spiffe_id() const;
  static Result<WorkloadIdentity> parse(std::string_view spiffe_id);
};

}  // namespace sennit::pki

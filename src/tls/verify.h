// Judging the peer's certificate. For src/tls/ only.
#pragma once

#include <memory>

#include "tls/openssl.h"

namespace sennit::tls {

// What one context's verification needs, prepared: the trust store and the matchers.
class Verifier {
 public:
  static Result<std::unique_ptr<Verifier>> create(const Verification& options);

  // Makes `context` ask this verifier, and offer the authorities' names to clients.
  void install(SSL_CTX* context, bool server, bool require_certificate);

 private:
  static int on_verify(X509_STORE_CTX* store_context, void* self);
  static int on_chain_error(int ok, X509_STORE_CTX* store_context);
  bool verify(X509_STORE_CTX* store_context);
  bool pinned(X509* leaf) const;
  bool name_accepted(X509* leaf) const;

  Verification options_;
  bssl::UniquePtr<X509_STORE> store_;
  std::vector<bssl::UniquePtr<X509>> authorities_;
};

}  // namespace sennit::tls

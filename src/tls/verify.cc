#include "tls/verify.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>

#include "tls/transport_socket.h"

namespace sennit::tls {
namespace {

Status add_revocations(X509_STORE* store, const Verification& options) {
  bssl::UniquePtr<BIO> bio(
      BIO_new_mem_buf(options.crl_pem.data(), static_cast<int>(options.crl_pem.size())));
  int count = 0;
  while (X509_CRL* raw = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)) {
    bssl::UniquePtr<X509_CRL> crl(raw);
    X509_STORE_add_crl(store, crl.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return fail("crl: no PEM revocation list in it");
  X509_STORE_set_flags(store, options.crl_leaf_only
                                  ? X509_V_FLAG_CRL_CHECK
                                  : X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return {};
}

// The verification error that makes AWS-LC send the fitting alert for a refusal of ours.
constexpr int kRefusedByPolicy = X509_V_ERR_APPLICATION_VERIFICATION;

}  // namespace

Result<std::unique_ptr<Verifier>> Verifier::create(const Verification& options) {
  auto verifier = std::make_unique<Verifier>();
  verifier->options_ = options;
  if (options.trusted_ca_pem.empty()) {
    if (!options.sans.empty()) {
      return fail("subject alternative names can only be verified with a trusted CA");
    }
    return verifier;
  }
  verifier->store_.reset(X509_STORE_new());
  auto authorities = read_certificates(options.trusted_ca_pem);
  if (!authorities) return std::unexpected(authorities.error().within("trusted CA"));
  verifier->authorities_ = std::move(*authorities);
  for (const auto& authority : verifier->authorities_) {
    X509_STORE_add_cert(verifier->store_.get(), authority.get());
  }
  // Any certificate of the bundle anchors a chain, intermediates as well (as in Envoy).
  X509_STORE_set_flags(verifier->store_.get(), X509_V_FLAG_PARTIAL_CHAIN);
  if (!options.crl_pem.empty()) {
    if (auto status = add_revocations(verifier->store_.get(), options); !status) {
      return std::unexpected(status.error());
    }
  }
  return verifier;
}

void Verifier::install(SSL_CTX* context, bool server, bool require_certificate) {
  SSL_CTX_set_cert_verify_callback(context, &Verifier::on_verify, this);
  SSL_CTX_set_verify(context,
                     SSL_VERIFY_PEER | (require_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  if (!server) return;
  bssl::UniquePtr<STACK_OF(X509_NAME)> names(sk_X509_NAME_new_null());
  for (const auto& authority : authorities_) {
    sk_X509_NAME_push(names.get(), X509_NAME_dup(X509_get_subject_name(authority.get())));
  }
  SSL_CTX_set_client_CA_list(context, names.release());
}

int Verifier::on_verify(X509_STORE_CTX* store_context, void* self) {
  auto& verifier = *static_cast<Verifier*>(self);
  auto* ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  HandshakeState& state = *handshake_state(ssl);
  state.peer_validated = verifier.verify(store_context);
  if (state.peer_validated) return 1;
  if (verifier.options_.accept_untrusted) {
    X509_STORE_CTX_set_error(store_context, X509_V_OK);
    return 1;
  }
  return 0;
}

int Verifier::on_chain_error(int ok, X509_STORE_CTX* store_context) {
  if (ok || X509_STORE_CTX_get_error(store_context) != X509_V_ERR_CERT_HAS_EXPIRED) return ok;
  X509_STORE_CTX_set_error(store_context, X509_V_OK);
  return 1;
}

bool Verifier::verify(X509_STORE_CTX* given) {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(given, SSL_get_ex_data_X509_STORE_CTX_idx()));
  HandshakeState& state = *handshake_state(ssl);
  X509* leaf = X509_STORE_CTX_get0_cert(given);
  if (store_) {
    bssl::UniquePtr<X509_STORE_CTX> chain(X509_STORE_CTX_new());
    X509_STORE_CTX_init(chain.get(), store_.get(), leaf, X509_STORE_CTX_get0_untrusted(given));
    X509_STORE_CTX_set_default(chain.get(), SSL_is_server(ssl) ? "ssl_client" : "ssl_server");
    if (options_.max_depth) {
      X509_STORE_CTX_set_depth(chain.get(), static_cast<int>(*options_.max_depth));
    }
    if (options_.allow_expired) X509_STORE_CTX_set_verify_cb(chain.get(), &on_chain_error);
    if (X509_verify_cert(chain.get()) != 1) {
      const int error = X509_STORE_CTX_get_error(chain.get());
      X509_STORE_CTX_set_error(given, error);
      state.verify_failure =
          fmt::format("verify cert failed: {}", X509_verify_cert_error_string(error));
      return false;
    }
  }
  if (!pinned(leaf)) {
    state.verify_failure = "verify cert failed: cert hash and spki";
  } else if (!name_accepted(leaf)) {
    state.verify_failure = "verify cert failed: SAN matcher";
  } else {
    return true;
  }
  X509_STORE_CTX_set_error(given, kRefusedByPolicy);
  return false;
}

bool Verifier::pinned(X509* leaf) const {
  const auto& hashes = options_.certificate_sha256;
  const auto& keys = options_.spki_sha256;
  if (hashes.empty() && keys.empty()) return true;
  return std::ranges::find(hashes, certificate_sha256(leaf)) != hashes.end() ||
         std::ranges::find(keys, spki_sha256(leaf)) != keys.end();
}

bool Verifier::name_accepted(X509* leaf) const {
  if (options_.sans.empty()) return true;
  for (const auto& matcher : options_.sans) {
    for (const auto& name : subject_alternative_names(leaf, matcher.type)) {
      if (matcher.matches(name)) return true;
    }
  }
  return false;
}

}  // namespace sennit::tls

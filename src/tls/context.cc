#include "tls/context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "tls/openssl.h"
#include "tls/transport_socket.h"
#include "tls/verify.h"

namespace sennit::tls {
namespace {

// Envoy's defaults: forward secrecy and AEAD only.
constexpr const char* kDefaultCipherSuites =
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:"
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr const char* kDefaultCurves = "X25519:P-256";
// A record with its header and expansion, so that one read takes a whole one.
constexpr size_t kReadAheadBytes = 16 * 1024 + 512;
constexpr size_t kTicketKeyBytes = 80;  // Envoy's session_ticket_keys
// A session of a server that was not met for so long is not worth its memory.
constexpr size_t kMaxClientSessions = 64;

std::string join(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ":"));
}

uint16_t version_number(Version version, uint16_t automatic) {
  switch (version) {
    case Version::Tls10:
      return TLS1_VERSION;
    case Version::Tls11:
      return TLS1_1_VERSION;
    case Version::Tls12:
      return TLS1_2_VERSION;
    case Version::Tls13:
      return TLS1_3_VERSION;
    case Version::Auto:
      break;
  }
  return automatic;
}

// RFC 7301 §3.1: each name after its length.
std::string alpn_wire(std::span<const std::string> protocols) {
  std::string wire;
  for (const auto& protocol : protocols) {
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

Status apply_parameters(SSL_CTX* context, const Options& options) {
  if (!SSL_CTX_set_min_proto_version(context, version_number(options.minimum, TLS1_2_VERSION)) ||
      !SSL_CTX_set_max_proto_version(context, version_number(options.maximum, TLS1_3_VERSION))) {
    return fail("the protocol versions are not usable: {}", take_reason());
  }
  const std::string ciphers = join(options.cipher_suites);
  if (!SSL_CTX_set_strict_cipher_list(context,
                                      ciphers.empty() ? kDefaultCipherSuites : ciphers.c_str())) {
    return fail("cipher_suites \"{}\": {}", ciphers, take_reason());
  }
  const std::string curves = join(options.curves);
  if (!SSL_CTX_set1_curves_list(context, curves.empty() ? kDefaultCurves : curves.c_str())) {
    return fail("ecdh_curves \"{}\": {}", curves, take_reason());
  }
  const std::string algorithms = join(options.signature_algorithms);
  if (!algorithms.empty() && !SSL_CTX_set1_sigalgs_list(context, algorithms.c_str())) {
    return fail("signature_algorithms \"{}\": {}", algorithms, take_reason());
  }
  for (const auto& protocol : options.alpn) {
    if (protocol.empty() || protocol.size() > 255) {
      return fail("ALPN protocol \"{}\" must have 1 to 255 bytes", protocol);
    }
  }
  return {};
}

int give_password(char* buffer, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  const int length = static_cast<int>(text.size());
  if (length > size) return -1;
  std::copy(text.begin(), text.end(), buffer);
  return length;
}

Status use_certificate(SSL_CTX* context, const Certificate& certificate) {
  auto chain = read_certificates(certificate.chain_pem);
  if (!chain) return std::unexpected(chain.error().within("certificate chain"));
  if (!SSL_CTX_use_certificate(context, chain->front().get())) {
    return fail("certificate chain: {}", take_reason());
  }
  for (size_t i = 1; i < chain->size(); ++i) SSL_CTX_add1_chain_cert(context, (*chain)[i].get());
  bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(certificate.private_key_pem.data(),
                                           static_cast<int>(certificate.private_key_pem.size())));
  auto password = certificate.password;
  bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, &give_password, &password));
  if (!key) return fail("private key: not a PEM key that can be read: {}", take_reason());
  if (!SSL_CTX_use_PrivateKey(context, key.get()) || !SSL_CTX_check_private_key(context)) {
    return fail("private key: it does not belong to the certificate: {}", take_reason());
  }
  return {};
}

class ContextImpl final : public Context,
                          public ContextBase,
                          public std::enable_shared_from_this<ContextImpl> {
 public:
  ContextImpl(const Options& options, bool server) : options_(options), server_(server) {}
  Status build();

  std::unique_ptr<net::TransportSocket> create(const ConnectionOptions& connection) const override;
  bool verifies_peer() const override { return verifier_ != nullptr && !chain_unverified_; }
  std::string check_established(SSL* ssl) const override;

 private:
  Result<bssl::UniquePtr<SSL_CTX>> make_ssl_context(const Certificate* certificate);
  Status configure_server(SSL_CTX* context);
  void configure_client(SSL_CTX* context);
  SSL_CTX* choose(std::string_view server_name) const;
  void remember(SSL_SESSION* session, std::string_view server_name) const;
  void resume(SSL* ssl, const std::string& server_name) const;

  static int on_alpn(SSL*, const uint8_t** out, uint8_t* out_length, const uint8_t* offered,
                     unsigned offered_length, void* self);
  static int on_server_name(SSL* ssl, int* alert, void* self);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  struct Named {
    bssl::UniquePtr<SSL_CTX> context;
    std::vector<std::string> names;
  };

  const Options options_;
  const bool server_;
  bool chain_unverified_ = false;
  std::string alpn_wire_;
  std::unique_ptr<Verifier> verifier_;
  std::vector<Named> contexts_;  // one per certificate; the first is the default

  // Client: the newest session by server name. Taken at a handshake only, never per request.
  mutable std::mutex sessions_mutex_;
  mutable std::map<std::string, bssl::UniquePtr<SSL_SESSION>, std::less<>> sessions_;
};

int self_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

Status ContextImpl::build() {
  alpn_wire_ = alpn_wire(options_.alpn);
  if (options_.verification) {
    auto verifier = Verifier::create(*options_.verification);
    if (!verifier) return std::unexpected(verifier.error());
    verifier_ = std::move(*verifier);
    chain_unverified_ = options_.verification->trusted_ca_pem.empty() &&
                        options_.verification->certificate_sha256.empty() &&
                        options_.verification->spki_sha256.empty();
  }
  if (server_ && options_.certificates.empty()) return fail("a server needs a certificate");
  const size_t count = std::max<size_t>(options_.certificates.size(), 1);
  for (size_t i = 0; i < count; ++i) {
    auto context =
        make_ssl_context(options_.certificates.empty() ? nullptr : &options_.certificates[i]);
    if (!context) return std::unexpected(context.error());
    Named named{std::move(*context), {}};
    if (X509* leaf = SSL_CTX_get0_certificate(named.context.get())) {
      named.names = subject_alternative_names(leaf, SanType::Dns);
    }
    contexts_.push_back(std::move(named));
  }
  return {};
}

Result<bssl::UniquePtr<SSL_CTX>> ContextImpl::make_ssl_context(const Certificate* certificate) {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_ex_data(context.get(), self_index(), this);
  if (auto status = apply_parameters(context.get(), options_); !status) {
    return std::unexpected(status.error());
  }
  if (certificate) {
    if (auto status = use_certificate(context.get(), *certificate); !status) {
      return std::unexpected(status.error());
    }
  }
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_default_read_buffer_len(context.get(), kReadAheadBytes);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  if (verifier_) verifier_->install(context.get(), server_, options_.require_client_certificate);
  if (server_) {
    if (auto status = configure_server(context.get()); !status) {
      return std::unexpected(status.error());
    }
  } else {
    configure_client(context.get());
  }
  return context;
}

Status ContextImpl::configure_server(SSL_CTX* context) {
  if (!verifier_ && options_.require_client_certificate) {
    return fail("require_client_certificate needs a validation context");
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Sessions are good in this context alone: its ticket keys are its own, and a new trust bundle
  // or certificate makes a new context.
  static constexpr uint8_t kSessionContext[] = "sennit";
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
  if (!options_.session_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  if (!options_.ticket_keys.empty()) {
    // AWS-LC takes one key of 48 bytes: name, MAC key and cipher key.
    if (options_.ticket_keys.front().size() != kTicketKeyBytes) {
      return fail("session ticket keys have {} bytes each", kTicketKeyBytes);
    }
    SSL_CTX_set_tlsext_ticket_keys(context, options_.ticket_keys.front().data(),
                                   SSL_TICKET_KEY_NAME_LEN + 32);
  }
  if (options_.session_timeout) {
    const auto seconds = static_cast<uint32_t>(options_.session_timeout->count());
    SSL_CTX_set_timeout(context, seconds);
    SSL_CTX_set_session_psk_dhe_timeout(context, seconds);
  }
  if (!alpn_wire_.empty()) SSL_CTX_set_alpn_select_cb(context, &ContextImpl::on_alpn, this);
  SSL_CTX_set_tlsext_servername_callback(context, &ContextImpl::on_server_name);
  SSL_CTX_set_tlsext_servername_arg(context, this);
  return {};
}

void ContextImpl::configure_client(SSL_CTX* context) {
  if (!options_.resume_sessions) return;
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &ContextImpl::on_new_session);
}

// The server's own order decides, as in Envoy; without a common protocol the handshake goes on
// without one.
int ContextImpl::on_alpn(SSL*, const uint8_t** out, uint8_t* out_length, const uint8_t* offered,
                         unsigned offered_length, void* self) {
  const auto& own = static_cast<ContextImpl*>(self)->alpn_wire_;
  const int outcome = SSL_select_next_proto(
      const_cast<uint8_t**>(out), out_length, reinterpret_cast<const uint8_t*>(own.data()),
      static_cast<unsigned>(own.size()), offered, offered_length);
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int ContextImpl::on_server_name(SSL* ssl, int* alert, void* self) {
  const auto& context = *static_cast<ContextImpl*>(self);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!name) return SSL_TLSEXT_ERR_OK;
  SSL_CTX* chosen = context.choose(name);
  if (!chosen && context.options_.require_sni_match) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  if (chosen && chosen != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, chosen);
  return SSL_TLSEXT_ERR_OK;
}

// An exact name goes before a wildcard; nullptr: no certificate has the name.
SSL_CTX* ContextImpl::choose(std::string_view server_name) const {
  SSL_CTX* by_wildcard = nullptr;
  for (const auto& entry : contexts_) {
    for (const auto& name : entry.names) {
      if (!dns_name_matches(name, server_name)) continue;
      if (!name.starts_with("*.")) return entry.context.get();
      if (!by_wildcard) by_wildcard = entry.context.get();
    }
  }
  return by_wildcard;
}

int ContextImpl::on_new_session(SSL* ssl, SSL_SESSION* session) {
  auto* self = static_cast<ContextImpl*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), self_index()));
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  self->remember(session, name ? name : "");
  return 1;  // the reference is ours now
}

void ContextImpl::remember(SSL_SESSION* session, std::string_view server_name) const {
  bssl::UniquePtr<SSL_SESSION> owned(session);
  std::lock_guard lock(sessions_mutex_);
  if (sessions_.size() >= kMaxClientSessions) sessions_.clear();
  sessions_.insert_or_assign(std::string(server_name), std::move(owned));
}

void ContextImpl::resume(SSL* ssl, const std::string& server_name) const {
  std::lock_guard lock(sessions_mutex_);
  const auto found = sessions_.find(server_name);
  if (found == sessions_.end()) return;
  SSL_set_session(ssl, found->second.get());
  // RFC 8446 §C.4: a ticket is used once, so that observers cannot link connections.
  if (SSL_SESSION_should_be_single_use(found->second.get())) sessions_.erase(found);
}

// A resumed session brings its peer's certificate from the handshake that made it: it must still
// be valid today.
std::string ContextImpl::check_established(SSL* ssl) const {
  if (!verifier_ || !SSL_session_reused(ssl) || options_.verification->allow_expired) return "";
  bssl::UniquePtr<X509> peer(SSL_get_peer_certificate(ssl));
  if (!peer) return "";
  if (X509_cmp_current_time(X509_get0_notAfter(peer.get())) <= 0) {
    return "the resumed session's certificate has expired";
  }
  return "";
}

std::unique_ptr<net::TransportSocket> ContextImpl::create(
    const ConnectionOptions& connection) const {
  bssl::UniquePtr<SSL> ssl(SSL_new(contexts_.front().context.get()));
  if (server_) {
    SSL_set_accept_state(ssl.get());
  } else {
    SSL_set_connect_state(ssl.get());
    const std::string name(connection.server_name.empty() ? std::string_view(options_.server_name)
                                                          : connection.server_name);
    if (!name.empty()) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
    const std::string wire = connection.alpn.empty() ? alpn_wire_ : alpn_wire(connection.alpn);
    if (!wire.empty()) {
      SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const uint8_t*>(wire.data()), wire.size());
    }
    if (options_.allow_renegotiation) SSL_set_renegotiate_mode(ssl.get(), ssl_renegotiate_freely);
    if (options_.resume_sessions) resume(ssl.get(), name);
  }
  return make_transport_socket(std::move(ssl), shared_from_this());
}

Result<std::shared_ptr<const Context>> make(const Options& options, bool server) {
  auto context = std::make_shared<ContextImpl>(options, server);
  if (auto status = context->build(); !status) return std::unexpected(status.error());
  return context;
}

}  // namespace

Result<std::shared_ptr<const Context>> Context::server(const Options& options) {
  return make(options, true);
}
Result<std::shared_ptr<const Context>> Context::client(const Options& options) {
  return make(options, false);
}

}  // namespace sennit::tls

#include "proxy/tls/transport_sockets.h"

#include <envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h>

#include <atomic>

#include "base/log.h"
#include "proxy/tls/secrets.h"
#include "proxy/tls/supported_tls_fields.h"
#include "proxy/tls/tls_options.h"

namespace sennit::proxy {
namespace {

namespace v3 = envoy::extensions::transport_sockets::tls::v3;
using envoy::config::core::v3::TransportSocket;
using Factory = std::shared_ptr<const TransportSocketFactory>;

class RawBufferFactory final : public TransportSocketFactory {
 public:
  std::unique_ptr<net::TransportSocket> create(const TransportSocketParams&) const override {
    return net::make_raw_transport_socket();
  }
  bool secure() const override { return false; }
  bool ready() const override { return true; }
  bool supports_alpn() const override { return false; }
};

// One side's TLS configuration with its current context. The main thread swaps the context when a
// secret changes; workers load it once per connection.
class TlsFactory final : public TransportSocketFactory,
                         public std::enable_shared_from_this<TlsFactory> {
 public:
  using Finish = std::function<void(tls::Options&)>;

  TlsFactory(std::unique_ptr<TlsMaterial> material, bool server, Finish finish, bool has_alpn)
      : material_(std::move(material)),
        server_(server),
        finish_(std::move(finish)),
        has_alpn_(has_alpn) {}

  // Builds the first context and listens for changes of its secrets.
  Status start() {
    // Weak: a worker may drop the last reference while the main thread has a new secret in hand.
    listener_ = std::make_shared<SecretSlot::Listener>([weak = weak_from_this()]() -> Status {
      const auto self = weak.lock();
      return self ? self->rebuild() : Status();
    });
    for (auto* slot : material_->slots()) slot->listeners.push_back(listener_);
    return rebuild();
  }

  std::unique_ptr<net::TransportSocket> create(const TransportSocketParams& params) const override {
    const auto context = context_.load(std::memory_order_acquire);
    if (!context) return nullptr;
    tls::ConnectionOptions options{.server_name = params.server_name_override,
                                   .alpn = params.alpn_override};
    if (options.alpn.empty() && !has_alpn_) options.alpn = params.alpn_fallback;
    return context->create(options);
  }
  bool secure() const override { return true; }
  bool ready() const override { return context_.load(std::memory_order_acquire) != nullptr; }
  bool supports_alpn() const override { return true; }

 private:
  Status rebuild() {
    auto options = material_->options();
    if (!options) return std::unexpected(options.error());
    if (!*options) return {};
    finish_(**options);
    auto context = server_ ? tls::Context::server(**options) : tls::Context::client(**options);
    if (!context) return std::unexpected(context.error());
    context_.store(*context, std::memory_order_release);
    return {};
  }

  const std::unique_ptr<TlsMaterial> material_;
  const bool server_;
  const Finish finish_;
  const bool has_alpn_;
  std::shared_ptr<SecretSlot::Listener> listener_;
  std::atomic<std::shared_ptr<const tls::Context>> context_;
};

template <typename Message>
Result<Message> unpack(const TransportSocket& config) {
  Message message;
  if (!config.typed_config().UnpackTo(&message)) {
    return fail("typed_config: is not a valid {}", message.GetTypeName());
  }
  if (auto s = refuse_unsupported(message, supported_tls_fields(), "typed_config"); !s) {
    return std::unexpected(s.error());
  }
  return message;
}

Result<Factory> make_tls(const v3::CommonTlsContext& common, SecretManager& secrets, bool server,
                         TlsFactory::Finish finish) {
  constexpr std::string_view kWhere = "typed_config.common_tls_context";
  auto material = TlsMaterial::create(common, secrets);
  if (!material) return std::unexpected(material.error().within(kWhere));
  auto factory = std::make_shared<TlsFactory>(std::move(*material), server, std::move(finish),
                                              common.alpn_protocols_size() > 0);
  if (auto s = factory->start(); !s) return std::unexpected(s.error().within(kWhere));
  return factory;
}

Result<Factory> make_downstream_tls(const TransportSocket& config, SecretManager& secrets) {
  auto message = unpack<v3::DownstreamTlsContext>(config);
  if (!message) return std::unexpected(message.error());
  const auto& common = message->common_tls_context();
  if (common.tls_certificates().empty() && common.tls_certificate_sds_secret_configs().empty()) {
    return fail("typed_config.common_tls_context: a server needs a certificate");
  }
  return make_tls(common, secrets, true, [m = *message](tls::Options& options) {
    options.require_client_certificate = m.require_client_certificate().value();
    options.require_sni_match = m.require_sni().value();
    options.session_tickets = !m.disable_stateless_session_resumption();
    if (m.has_session_timeout()) {
      options.session_timeout = std::chrono::seconds(m.session_timeout().seconds());
    }
    for (const auto& key : m.session_ticket_keys().keys()) {
      options.ticket_keys.push_back(key.has_inline_bytes() ? key.inline_bytes()
                                                           : key.inline_string());
    }
  });
}

Result<Factory> make_upstream_tls(const TransportSocket& config, SecretManager& secrets) {
  auto message = unpack<v3::UpstreamTlsContext>(config);
  if (!message) return std::unexpected(message.error());
  return make_tls(
      message->common_tls_context(), secrets, false, [m = *message](tls::Options& options) {
        options.server_name = m.sni();
        options.allow_renegotiation = m.allow_renegotiation();
        options.resume_sessions = !m.has_max_session_keys() || m.max_session_keys().value() > 0;
      });
}

bool is_raw(const TransportSocket& config) {
  // Unpacked, not just named, so that its descriptor is linked in: JSON and YAML need it.
  envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer raw;
  return !config.has_typed_config() || config.typed_config().UnpackTo(&raw);
}

std::unexpected<Error> refuse(const TransportSocket& config) {
  return fail("typed_config: {} is not supported", config.typed_config().type_url());
}

}  // namespace

Result<Factory> make_downstream_transport(const TransportSocket& config, SecretManager& secrets) {
  if (is_raw(config)) return std::make_shared<RawBufferFactory>();
  if (config.typed_config().Is<v3::DownstreamTlsContext>()) {
    return make_downstream_tls(config, secrets);
  }
  return refuse(config);
}

Result<Factory> make_upstream_transport(const TransportSocket& config, SecretManager& secrets) {
  if (is_raw(config)) return std::make_shared<RawBufferFactory>();
  if (config.typed_config().Is<v3::UpstreamTlsContext>()) {
    return make_upstream_tls(config, secrets);
  }
  return refuse(config);
}

}  // namespace sennit::proxy

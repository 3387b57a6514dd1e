#include <algorithm>

#include "base/log.h"
#include "proxy/tls/data_source.h"
#include "proxy/tls/secrets.h"
#include "proxy/tls/supported_tls_fields.h"
#include "tls/context.h"

namespace sennit::proxy {
namespace {

using envoy::config::core::v3::ConfigSource;
using envoy::config::core::v3::DataSource;
using envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
using envoy::extensions::transport_sockets::tls::v3::Secret;

// Reads files once, when the secret comes: what is in use later is what was judged here.
Status resolve(DataSource& source, std::string_view field) {
  if (source.specifier_case() == DataSource::SPECIFIER_NOT_SET) return {};
  auto bytes = read_data_source(source);
  if (!bytes) return std::unexpected(bytes.error().within(field));
  source.set_inline_bytes(std::move(*bytes));
  return {};
}

Status resolve_all(Secret& secret) {
  if (secret.has_tls_certificate()) {
    auto& certificate = *secret.mutable_tls_certificate();
    if (!certificate.has_certificate_chain() || !certificate.has_private_key()) {
      return fail("tls_certificate: certificate_chain and private_key are both needed");
    }
    if (auto s =
            resolve(*certificate.mutable_certificate_chain(), "tls_certificate.certificate_chain");
        !s)
      return s;
    if (auto s = resolve(*certificate.mutable_private_key(), "tls_certificate.private_key"); !s) {
      return s;
    }
    if (certificate.has_password()) {
      return resolve(*certificate.mutable_password(), "tls_certificate.password");
    }
  }
  if (secret.has_validation_context()) {
    auto& context = *secret.mutable_validation_context();
    if (context.has_trusted_ca()) {
      if (auto s = resolve(*context.mutable_trusted_ca(), "validation_context.trusted_ca"); !s) {
        return s;
      }
    }
    if (context.has_crl()) return resolve(*context.mutable_crl(), "validation_context.crl");
  }
  if (secret.has_session_ticket_keys()) {
    for (auto& key : *secret.mutable_session_ticket_keys()->mutable_keys()) {
      if (auto s = resolve(key, "session_ticket_keys.keys"); !s) return s;
    }
  }
  return {};
}

// The material by itself: a broken secret is refused before anything uses it.
Status judge(const Secret& secret) {
  tls::Options options;
  if (secret.has_tls_certificate()) {
    const auto& certificate = secret.tls_certificate();
    options.certificates.push_back({certificate.certificate_chain().inline_bytes(),
                                    certificate.private_key().inline_bytes(),
                                    certificate.password().inline_bytes()});
  } else if (secret.has_validation_context()) {
    options.verification =
        tls::Verification{.trusted_ca_pem = secret.validation_context().trusted_ca().inline_bytes(),
                          .crl_pem = secret.validation_context().crl().inline_bytes()};
  } else if (!secret.has_session_ticket_keys()) {
    return fail("holds neither tls_certificate, validation_context nor session_ticket_keys");
  }
  auto context = tls::Context::client(options);
  if (!context) return std::unexpected(context.error());
  return {};
}

std::vector<std::string> pems_of(const Secret& secret) {
  if (secret.has_tls_certificate()) {
    return {secret.tls_certificate().certificate_chain().inline_bytes()};
  }
  if (secret.has_validation_context()) {
    return {secret.validation_context().trusted_ca().inline_bytes()};
  }
  return {};
}

std::string kind_of(const Secret& secret) {
  if (secret.has_tls_certificate()) return "tls_certificate";
  if (secret.has_validation_context()) return "validation_context";
  return "session_ticket_keys";
}

Status store(SecretManager::Impl& impl, Secret secret, bool is_static) {
  const std::string where = fmt::format("secret \"{}\"", secret.name());
  if (auto s = refuse_unsupported(secret, supported_tls_fields()); !s) {
    return std::unexpected(s.error().within(where));
  }
  if (auto s = resolve_all(secret); !s) return std::unexpected(s.error().within(where));
  if (auto s = judge(secret); !s) return std::unexpected(s.error().within(where));

  auto& slot = impl.slots[secret.name()];
  slot.name = secret.name();
  slot.secret = std::move(secret);
  slot.is_static = is_static;
  slot.last_updated = std::chrono::system_clock::now();
  std::erase_if(slot.listeners, [](const auto& weak) { return weak.expired(); });
  Status outcome;
  for (const auto& weak : slot.listeners) {
    const auto listener = weak.lock();
    if (!listener) continue;
    if (auto status = (*listener)(); !status && outcome) {
      outcome = std::unexpected(status.error().within(where));
    }
  }
  return outcome;
}

}  // namespace

Result<SecretSlot*> SecretManager::Impl::require(const SdsSecretConfig& config) {
  if (config.name().empty()) return fail("name: must not be empty");
  const bool known = slots.contains(config.name());
  if (!known && !config.has_sds_config()) {
    return fail("static secret \"{}\" is not in static_resources.secrets", config.name());
  }
  auto& slot = slots[config.name()];
  if (!known) {
    slot.name = config.name();
    if (subscribe) {
      subscribe(config.name(), config.sds_config());
    } else {
      awaited.emplace_back(config.name(), config.sds_config());
    }
  }
  return &slot;
}

SecretManager::SecretManager() : impl_(std::make_unique<Impl>()) {}
SecretManager::~SecretManager() = default;

void SecretManager::set_subscriber(Subscribe subscribe) {
  impl_->subscribe = std::move(subscribe);
  for (const auto& [name, source] : std::exchange(impl_->awaited, {})) {
    impl_->subscribe(name, source);
  }
}

Status SecretManager::update(const Secret& secret) {
  return store(*impl_, secret, false);
}

void SecretManager::add_static(const Secret& secret) {
  if (auto status = store(*impl_, secret, true); !status) {
    log::err("tls", "static_resources: {}", status.error().message);
  }
}

std::vector<SecretManager::Entry> SecretManager::entries() const {
  std::vector<Entry> entries;
  for (const auto& [name, slot] : impl_->slots) {
    Entry entry{.name = name,
                .version_info = {},
                .kind = {},
                .certificate_pems = {},
                .last_updated = slot.last_updated,
                .present = slot.secret.has_value()};
    if (slot.secret) {
      entry.kind = kind_of(*slot.secret);
      entry.certificate_pems = pems_of(*slot.secret);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::optional<std::chrono::seconds> SecretManager::first_expiry() const {
  std::optional<std::chrono::system_clock::time_point> first;
  for (const auto& [name, slot] : impl_->slots) {
    if (!slot.secret) continue;
    for (const auto& pem : pems_of(*slot.secret)) {
      const auto facts = tls::certificate_facts(pem);
      if (!facts) continue;
      for (const auto& fact : *facts)
        first = std::min(first.value_or(fact.not_after), fact.not_after);
    }
  }
  if (!first) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(*first -
                                                          std::chrono::system_clock::now());
}

}  // namespace sennit::proxy

#include "proxy/tls/tls_options.h"

#include <openssl/base64.h>

#include "proxy/match/string_matcher.h"
#include "proxy/tls/data_source.h"

namespace sennit::proxy {
namespace {

namespace v3 = envoy::extensions::transport_sockets::tls::v3;
using v3::CertificateValidationContext;
using v3::CommonTlsContext;
using v3::SubjectAltNameMatcher;
using v3::TlsParameters;

constexpr size_t kSha256Bytes = 32;

tls::Version version_of(TlsParameters::TlsProtocol protocol) {
  switch (protocol) {
    case TlsParameters::TLSv1_0:
      return tls::Version::Tls10;
    case TlsParameters::TLSv1_1:
      return tls::Version::Tls11;
    case TlsParameters::TLSv1_2:
      return tls::Version::Tls12;
    case TlsParameters::TLSv1_3:
      return tls::Version::Tls13;
    default:
      return tls::Version::Auto;
  }
}

void add_parameters(const TlsParameters& params, tls::Options& options) {
  options.minimum = version_of(params.tls_minimum_protocol_version());
  options.maximum = version_of(params.tls_maximum_protocol_version());
  options.cipher_suites.assign(params.cipher_suites().begin(), params.cipher_suites().end());
  options.curves.assign(params.ecdh_curves().begin(), params.ecdh_curves().end());
  options.signature_algorithms.assign(params.signature_algorithms().begin(),
                                      params.signature_algorithms().end());
}

Result<tls::Certificate> read_certificate(const v3::TlsCertificate& config) {
  auto chain = read_data_source(config.certificate_chain());
  if (!chain) return std::unexpected(chain.error().within("certificate_chain"));
  auto key = read_data_source(config.private_key());
  if (!key) return std::unexpected(key.error().within("private_key"));
  auto password = read_data_source(config.password());
  if (!password) return std::unexpected(password.error().within("password"));
  return tls::Certificate{std::move(*chain), std::move(*key), std::move(*password)};
}

Result<tls::SanType> san_type(SubjectAltNameMatcher::SanType type) {
  switch (type) {
    case SubjectAltNameMatcher::DNS:
      return tls::SanType::Dns;
    case SubjectAltNameMatcher::URI:
      return tls::SanType::Uri;
    case SubjectAltNameMatcher::EMAIL:
      return tls::SanType::Email;
    case SubjectAltNameMatcher::IP_ADDRESS:
      return tls::SanType::Ip;
    default:
      return fail("san_type: {} is not supported", SubjectAltNameMatcher::SanType_Name(type));
  }
}

tls::SanMatcher san_matcher(tls::SanType type, const StringMatcher& matcher) {
  // An exact DNS name is also covered by a wildcard in the certificate (as in Envoy).
  if (type == tls::SanType::Dns && matcher.kind() == StringMatcher::Kind::Exact) {
    return {type, [name = matcher.pattern()](std::string_view given) {
              return tls::dns_name_matches(given, name);
            }};
  }
  return {type, [matcher](std::string_view given) { return matcher.matches(given); }};
}

Status add_names(const CertificateValidationContext& config, tls::Verification& out) {
  for (int i = 0; i < config.match_typed_subject_alt_names_size(); ++i) {
    const auto& entry = config.match_typed_subject_alt_names(i);
    const auto where = fmt::format("match_typed_subject_alt_names[{}]", i);
    auto type = san_type(entry.san_type());
    if (!type) return std::unexpected(type.error().within(where));
    auto matcher = StringMatcher::create(entry.matcher());
    if (!matcher) return std::unexpected(matcher.error().within(where + ".matcher"));
    out.sans.push_back(san_matcher(*type, *matcher));
  }
  // The older field means any type of name; it counts only without the newer one.
  if (!out.sans.empty()) return {};
  for (int i = 0; i < config.match_subject_alt_names_size(); ++i) {
    auto matcher = StringMatcher::create(config.match_subject_alt_names(i));
    if (!matcher) {
      return std::unexpected(matcher.error().within(fmt::format("match_subject_alt_names[{}]", i)));
    }
    for (const auto type :
         {tls::SanType::Uri, tls::SanType::Dns, tls::SanType::Email, tls::SanType::Ip}) {
      out.sans.push_back(san_matcher(type, *matcher));
    }
  }
  return {};
}

// "df:6f:..." or "DF6F...": hex with or without colons.
Result<std::string> parse_hash(std::string_view text) {
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ':') continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return fail("\"{}\" is not a hex SHA-256", text);
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high << 4 | digit);
      high = -1;
    }
  }
  if (bytes.size() != kSha256Bytes || high >= 0) return fail("\"{}\" is not a hex SHA-256", text);
  return bytes;
}

Result<std::string> parse_spki(const std::string& text) {
  std::string bytes(text.size(), '\0');
  size_t length = 0;
  if (!EVP_DecodeBase64(reinterpret_cast<uint8_t*>(bytes.data()), &length, bytes.size(),
                        reinterpret_cast<const uint8_t*>(text.data()), text.size()) ||
      length != kSha256Bytes) {
    return fail("\"{}\" is not a base64 SHA-256", text);
  }
  bytes.resize(length);
  return bytes;
}

Status add_pins(const CertificateValidationContext& config, tls::Verification& out) {
  for (int i = 0; i < config.verify_certificate_hash_size(); ++i) {
    auto hash = parse_hash(config.verify_certificate_hash(i));
    if (!hash) {
      return std::unexpected(hash.error().within(fmt::format("verify_certificate_hash[{}]", i)));
    }
    out.certificate_sha256.push_back(std::move(*hash));
  }
  for (int i = 0; i < config.verify_certificate_spki_size(); ++i) {
    auto hash = parse_spki(config.verify_certificate_spki(i));
    if (!hash) {
      return std::unexpected(hash.error().within(fmt::format("verify_certificate_spki[{}]", i)));
    }
    out.spki_sha256.push_back(std::move(*hash));
  }
  return {};
}

Result<tls::Verification> read_validation(const CertificateValidationContext& config) {
  tls::Verification out;
  auto authority = read_data_source(config.trusted_ca());
  if (!authority) return std::unexpected(authority.error().within("trusted_ca"));
  out.trusted_ca_pem = std::move(*authority);
  auto crl = read_data_source(config.crl());
  if (!crl) return std::unexpected(crl.error().within("crl"));
  out.crl_pem = std::move(*crl);
  out.crl_leaf_only = config.only_verify_leaf_cert_crl();
  out.allow_expired = config.allow_expired_certificate();
  out.accept_untrusted =
      config.trust_chain_verification() == CertificateValidationContext::ACCEPT_UNTRUSTED;
  if (config.has_max_verify_depth()) out.max_depth = config.max_verify_depth().value();
  if (auto status = add_names(config, out); !status) return std::unexpected(status.error());
  if (auto status = add_pins(config, out); !status) return std::unexpected(status.error());
  return out;
}

}  // namespace

Result<std::unique_ptr<TlsMaterial>> TlsMaterial::create(const CommonTlsContext& config,
                                                         SecretManager& secrets) {
  auto material = std::make_unique<TlsMaterial>();
  material->config_ = config;
  for (int i = 0; i < config.tls_certificate_sds_secret_configs_size(); ++i) {
    auto slot = secrets.impl().require(config.tls_certificate_sds_secret_configs(i));
    if (!slot) {
      return std::unexpected(
          slot.error().within(fmt::format("tls_certificate_sds_secret_configs[{}]", i)));
    }
    material->certificate_slots_.push_back(*slot);
    material->slots_.push_back(*slot);
  }
  const v3::SdsSecretConfig* validation = nullptr;
  std::string_view field = "validation_context_sds_secret_config";
  if (config.has_validation_context_sds_secret_config()) {
    validation = &config.validation_context_sds_secret_config();
  } else if (config.has_combined_validation_context()) {
    validation = &config.combined_validation_context().validation_context_sds_secret_config();
    field = "combined_validation_context.validation_context_sds_secret_config";
  }
  if (validation) {
    auto slot = secrets.impl().require(*validation);
    if (!slot) return std::unexpected(slot.error().within(field));
    material->validation_slot_ = *slot;
    material->slots_.push_back(*slot);
  }
  return material;
}

bool TlsMaterial::has_validation() const {
  return validation_slot_ || config_.has_validation_context();
}

Status TlsMaterial::add_certificates(tls::Options& options) const {
  for (int i = 0; i < config_.tls_certificates_size(); ++i) {
    auto certificate = read_certificate(config_.tls_certificates(i));
    if (!certificate) {
      return std::unexpected(certificate.error().within(fmt::format("tls_certificates[{}]", i)));
    }
    options.certificates.push_back(std::move(*certificate));
  }
  for (const auto* slot : certificate_slots_) {
    if (!slot->secret->has_tls_certificate()) {
      return fail("secret \"{}\" holds no tls_certificate", slot->name);
    }
    options.certificates.push_back(*read_certificate(slot->secret->tls_certificate()));
  }
  return {};
}

Result<std::optional<tls::Verification>> TlsMaterial::verification() const {
  CertificateValidationContext merged;
  std::string_view where = "validation_context";
  if (validation_slot_) {
    if (!validation_slot_->secret->has_validation_context()) {
      return fail("secret \"{}\" holds no validation_context", validation_slot_->name);
    }
    where = "combined_validation_context";
    merged = config_.combined_validation_context().default_validation_context();
    merged.MergeFrom(validation_slot_->secret->validation_context());
  } else if (config_.has_validation_context()) {
    merged = config_.validation_context();
  } else {
    return std::nullopt;
  }
  auto verification = read_validation(merged);
  if (!verification) return std::unexpected(verification.error().within(where));
  return std::move(*verification);
}

Result<std::optional<tls::Options>> TlsMaterial::options() const {
  for (const auto* slot : slots_) {
    if (!slot->secret) return std::nullopt;
  }
  tls::Options options;
  add_parameters(config_.tls_params(), options);
  options.alpn.assign(config_.alpn_protocols().begin(), config_.alpn_protocols().end());
  if (auto status = add_certificates(options); !status) return std::unexpected(status.error());
  auto judged = verification();
  if (!judged) return std::unexpected(judged.error());
  options.verification = std::move(*judged);
  return options;
}

}  // namespace sennit::proxy

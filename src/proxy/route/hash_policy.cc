#include "proxy/route/hash_policy.h"

#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "proxy/match/field_path.h"
#include "proxy/route/path.h"

namespace sennit::proxy {
namespace {

// The value of `name` among a Cookie field's "a=1; b=\"2\"" pairs.
std::optional<std::string_view> cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    std::string_view pair = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(pair.size() + 1, cookies.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
      value = value.substr(1, value.size() - 2);
    }
    return value;
  }
  return std::nullopt;
}

std::optional<uint64_t> header_hash(const http::HeaderMap& request, const std::string& name,
                                    const RegexSubstitution* rewrite) {
  std::string joined;
  const auto value = request.get_all(name, joined);
  if (!value) return std::nullopt;
  return stable_hash(rewrite != nullptr ? rewrite->apply(*value) : std::string(*value));
}

}  // namespace

uint64_t stable_hash(std::string_view bytes) {
  return XXH64(bytes.data(), bytes.size(), 0);
}

HashPolicy::Trait HashPolicy::make_cookie_trait(const Config::Cookie& cookie) {
  Trait trait;
  trait.kind = Kind::Cookie;
  trait.name = cookie.name();
  trait.cookie_path = cookie.path();
  if (cookie.has_ttl())
    trait.ttl_seconds = static_cast<uint64_t>(std::max<int64_t>(0, cookie.ttl().seconds()));
  for (const auto& attribute : cookie.attributes()) {
    trait.cookie_attributes += "; " + attribute.name();
    if (!attribute.value().empty()) trait.cookie_attributes += "=" + attribute.value();
  }
  return trait;
}

Result<HashPolicy::Trait> HashPolicy::make_trait(const Config& config) {
  Trait trait;
  switch (config.policy_specifier_case()) {
    case Config::kHeader:
      trait.name = to_lower(config.header().header_name());
      if (config.header().has_regex_rewrite()) {
        auto rewrite = RegexSubstitution::create(config.header().regex_rewrite());
        if (!rewrite) return std::unexpected(in_field(rewrite.error(), "header.regex_rewrite"));
        trait.rewrite = *std::move(rewrite);
      }
      break;
    case Config::kCookie:
      trait = make_cookie_trait(config.cookie());
      break;
    case Config::kConnectionProperties:
      if (!config.connection_properties().source_ip()) {
        return fail("connection_properties.source_ip: must be true");
      }
      trait.kind = Kind::SourceIp;
      break;
    case Config::kQueryParameter:
      trait.kind = Kind::QueryParameter;
      trait.name = config.query_parameter().name();
      break;
    case Config::kFilterState:
      return fail("filter_state: is not supported");
    default:
      return fail("needs header, cookie, connection_properties or query_parameter");
  }
  trait.terminal = config.terminal();
  return trait;
}

Result<std::shared_ptr<const HashPolicy>> HashPolicy::create(
    const google::protobuf::RepeatedPtrField<Config>& configs) {
  if (configs.empty()) return nullptr;
  auto policy = std::make_shared<HashPolicy>();
  for (int i = 0; i < configs.size(); ++i) {
    auto trait = make_trait(configs[i]);
    if (!trait) return std::unexpected(in_field(trait.error(), fmt::format("hash_policy[{}]", i)));
    policy->traits_.push_back(*std::move(trait));
  }
  return policy;
}

std::optional<uint64_t> HashPolicy::cookie_hash(const Trait& trait, const http::HeaderMap& request,
                                                const StreamInfo& info, std::string* set_cookie) {
  for (const auto field : request) {
    if (field.id != http::HeaderId::Cookie) continue;
    if (auto value = cookie_value(field.value, trait.name)) return stable_hash(*value);
  }
  if (!trait.ttl_seconds || info.downstream == nullptr) return std::nullopt;
  const std::string addresses =
      info.downstream->remote_address.to_string() + info.downstream->local_address.to_string();
  const std::string value = fmt::format("{:016x}", stable_hash(addresses));
  if (set_cookie != nullptr) {
    *set_cookie = fmt::format("{}=\"{}\"", trait.name, value);
    if (*trait.ttl_seconds > 0) *set_cookie += fmt::format("; Max-Age={}", *trait.ttl_seconds);
    if (!trait.cookie_path.empty()) *set_cookie += "; Path=" + trait.cookie_path;
    *set_cookie += trait.cookie_attributes + "; HttpOnly";
  }
  return stable_hash(value);
}

std::optional<uint64_t> HashPolicy::trait_hash(const Trait& trait, const http::HeaderMap& request,
                                               const StreamInfo& info, std::string* set_cookie) {
  switch (trait.kind) {
    case Kind::Header:
      return header_hash(request, trait.name, trait.rewrite.get());
    case Kind::Cookie:
      return cookie_hash(trait, request, info, set_cookie);
    case Kind::SourceIp:
      if (info.downstream == nullptr || !info.downstream->remote_address.is_ip())
        return std::nullopt;
      return stable_hash(info.downstream->remote_address.ip_string());
    case Kind::QueryParameter: {
      const auto value = query_parameter(split_path(request.path()).query, trait.name);
      return value ? std::optional(stable_hash(*value)) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> HashPolicy::hash(const http::HeaderMap& request, const StreamInfo& info,
                                         std::string* set_cookie) const {
  std::optional<uint64_t> combined;
  for (const Trait& trait : traits_) {
    const auto hash = trait_hash(trait, request, info, set_cookie);
    if (!hash) continue;
    combined = combined ? std::rotl(*combined, 1) ^ *hash : *hash;
    if (trait.terminal) break;
  }
  return combined;
}

}  // namespace sennit::proxy

// The rules that policies are made of.
#include <algorithm>
#include <functional>

#include "proxy/filter/rbac/engine.h"
#include "proxy/match/field_path.h"
#include "proxy/match/header_matcher.h"
#include "proxy/match/string_matcher.h"
#include "proxy/route/path.h"

namespace sennit::proxy::rbac {
namespace {

namespace rbac_v3 = envoy::config::rbac::v3;
using rbac_v3::Permission;
using rbac_v3::Principal;

// A rule that is one test.
template <typename Test>
class Leaf final : public Rule {
 public:
  explicit Leaf(Test test) : test_(std::move(test)) {}
  bool matches(const Input& input) const override { return test_(input); }

 private:
  const Test test_;
};
template <typename Test>
RulePtr leaf(Test test) {
  return std::make_unique<const Leaf<Test>>(std::move(test));
}

class AllOf final : public Rule {
 public:
  explicit AllOf(std::vector<RulePtr> rules) : rules_(std::move(rules)) {}
  bool matches(const Input& input) const override {
    return std::ranges::all_of(rules_, [&](const RulePtr& rule) { return rule->matches(input); });
  }

 private:
  const std::vector<RulePtr> rules_;
};

class AnyOf final : public Rule {
 public:
  explicit AnyOf(std::vector<RulePtr> rules) : rules_(std::move(rules)) {}
  bool matches(const Input& input) const override {
    return std::ranges::any_of(rules_, [&](const RulePtr& rule) { return rule->matches(input); });
  }

 private:
  const std::vector<RulePtr> rules_;
};

class Not final : public Rule {
 public:
  explicit Not(RulePtr rule) : rule_(std::move(rule)) {}
  bool matches(const Input& input) const override { return !rule_->matches(input); }

 private:
  const RulePtr rule_;
};

template <typename Configs, typename Make>
Result<std::vector<RulePtr>> make_all(const Configs& configs, std::string_view field, Make make) {
  std::vector<RulePtr> rules;
  for (int i = 0; i < configs.size(); ++i) {
    auto rule = make(configs[i]);
    if (!rule) return std::unexpected(in_field(rule.error(), fmt::format("{}[{}]", field, i)));
    rules.push_back(*std::move(rule));
  }
  return rules;
}

template <typename Set, typename Rules, typename Make>
Result<RulePtr> make_set(const Rules& configs, std::string_view field, Make make) {
  auto rules = make_all(configs, field, make);
  if (!rules) return std::unexpected(rules.error());
  return std::make_unique<const Set>(*std::move(rules));
}

Result<RulePtr> negate(Result<RulePtr> rule, std::string_view field) {
  if (!rule) return std::unexpected(in_field(rule.error(), field));
  return std::make_unique<const Not>(*std::move(rule));
}

Result<RulePtr> header_rule(const envoy::config::route::v3::HeaderMatcher& config) {
  auto matcher = HeaderMatcher::create(config);
  if (!matcher) return std::unexpected(in_field(matcher.error(), "header"));
  return leaf([matcher = *std::move(matcher)](const Input& input) {
    static const http::HeaderMap none;
    return matcher.matches(input.headers != nullptr ? *input.headers : none);
  });
}

Result<RulePtr> path_rule(const envoy::type::matcher::v3::PathMatcher& config) {
  auto matcher = StringMatcher::create(config.path());
  if (!matcher) return std::unexpected(in_field(matcher.error(), "url_path.path"));
  return leaf([matcher = *std::move(matcher)](const Input& input) {
    if (input.headers == nullptr || !input.headers->has(http::HeaderId::Path)) return false;
    return matcher.matches(split_path(input.headers->path()).path);
  });
}

template <typename Get>
Result<RulePtr> address_rule(const envoy::config::core::v3::CidrRange& config,
                             std::string_view field, Get get) {
  auto range = net::Cidr::parse(config.address_prefix(), config.prefix_len().value());
  if (!range) return std::unexpected(in_field(range.error(), field));
  return leaf(
      [range = *range, get](const Input& input) { return range.contains(get(input.downstream)); });
}

// No dynamic metadata exists without jwt_authn or ext_authz, which are not filters of ours: every
// value matcher sees an absent value, which none matches.
RulePtr absent_metadata_rule(const envoy::type::matcher::v3::MetadataMatcher& config) {
  return leaf([invert = config.invert()](const Input&) { return invert; });
}

Result<RulePtr> server_name_rule(const envoy::type::matcher::v3::StringMatcher& config) {
  auto matcher = StringMatcher::create(config);
  if (!matcher) return std::unexpected(in_field(matcher.error(), "requested_server_name"));
  return leaf([matcher = *std::move(matcher)](const Input& input) {
    return matcher.matches(input.downstream.requested_server_name);
  });
}

// Without a principal_name: any peer that TLS has authenticated. With one: any of its URI SANs,
// else DNS SANs, else its subject, as Envoy looks.
Result<RulePtr> authenticated_rule(const Principal::Authenticated& config) {
  if (!config.has_principal_name()) {
    return leaf([](const Input& input) { return input.downstream.tls != nullptr; });
  }
  auto matcher = StringMatcher::create(config.principal_name());
  if (!matcher) return std::unexpected(in_field(matcher.error(), "authenticated.principal_name"));
  return leaf([matcher = *std::move(matcher)](const Input& input) {
    const net::TlsInfo* tls = input.downstream.tls;
    if (tls == nullptr || !tls->peer_certificate_validated) return false;
    const auto any = [&](const std::vector<std::string>& names) {
      return std::ranges::any_of(names,
                                 [&](const std::string& name) { return matcher.matches(name); });
    };
    if (!tls->peer_uri_sans.empty()) return any(tls->peer_uri_sans);
    if (!tls->peer_dns_sans.empty()) return any(tls->peer_dns_sans);
    return matcher.matches(tls->peer_subject);
  });
}

Result<RulePtr> metadata_source_rule(const rbac_v3::SourcedMetadata& config) {
  if (config.metadata_source() != rbac_v3::DYNAMIC) {
    return fail("sourced_metadata.metadata_source: only DYNAMIC is supported");
  }
  return absent_metadata_rule(config.metadata_matcher());
}

template <typename Config>
std::unexpected<Error> unsupported(const Config& config, const char* oneof_name) {
  const auto* oneof = config.GetDescriptor()->FindOneofByName(oneof_name);
  const auto* field = config.GetReflection()->GetOneofFieldDescriptor(config, oneof);
  return field != nullptr ? fail("{}: is not supported", field->name()) : fail("a rule is empty");
}

bool any_rule(const Input&) {
  return true;
}

}  // namespace

Result<RulePtr> make_permission(const Permission& config) {
  switch (config.rule_case()) {
    case Permission::kAndRules:
      return make_set<AllOf>(config.and_rules().rules(), "and_rules.rules", make_permission);
    case Permission::kOrRules:
      return make_set<AnyOf>(config.or_rules().rules(), "or_rules.rules", make_permission);
    case Permission::kNotRule:
      return negate(make_permission(config.not_rule()), "not_rule");
    case Permission::kAny:
      return leaf(any_rule);
    case Permission::kHeader:
      return header_rule(config.header());
    case Permission::kUrlPath:
      return path_rule(config.url_path());
    case Permission::kDestinationIp:
      return address_rule(config.destination_ip(), "destination_ip",
                          [](const DownstreamInfo& info) { return info.local_address; });
    case Permission::kDestinationPort:
      return leaf([port = config.destination_port()](const Input& input) {
        return input.downstream.local_address.port() == port;
      });
    case Permission::kDestinationPortRange:
      return leaf([range = config.destination_port_range()](const Input& input) {
        const int port = input.downstream.local_address.port();
        return port >= range.start() && port < range.end();
      });
    case Permission::kMetadata:
      return absent_metadata_rule(config.metadata());
    case Permission::kSourcedMetadata:
      return metadata_source_rule(config.sourced_metadata());
    case Permission::kRequestedServerName:
      return server_name_rule(config.requested_server_name());
    default:
      return unsupported(config, "rule");
  }
}

Result<RulePtr> make_principal(const Principal& config) {
  const auto direct = [](const DownstreamInfo& info) { return info.direct_remote_address; };
  const auto remote = [](const DownstreamInfo& info) { return info.remote_address; };
  switch (config.identifier_case()) {
    case Principal::kAndIds:
      return make_set<AllOf>(config.and_ids().ids(), "and_ids.ids", make_principal);
    case Principal::kOrIds:
      return make_set<AnyOf>(config.or_ids().ids(), "or_ids.ids", make_principal);
    case Principal::kNotId:
      return negate(make_principal(config.not_id()), "not_id");
    case Principal::kAny:
      return leaf(any_rule);
    case Principal::kAuthenticated:
      return authenticated_rule(config.authenticated());
    case Principal::kSourceIp:
      return address_rule(config.source_ip(), "source_ip", direct);
    case Principal::kDirectRemoteIp:
      return address_rule(config.direct_remote_ip(), "direct_remote_ip", direct);
    case Principal::kRemoteIp:
      return address_rule(config.remote_ip(), "remote_ip", remote);
    case Principal::kHeader:
      return header_rule(config.header());
    case Principal::kUrlPath:
      return path_rule(config.url_path());
    case Principal::kMetadata:
      return absent_metadata_rule(config.metadata());
    case Principal::kSourcedMetadata:
      return metadata_source_rule(config.sourced_metadata());
    default:
      return unsupported(config, "identifier");
  }
}

}  // namespace sennit::proxy::rbac

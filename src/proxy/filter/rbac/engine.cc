#include "proxy/filter/rbac/engine.h"

#include <algorithm>
#include <map>

#include "proxy/match/field_path.h"

namespace sennit::proxy::rbac {
namespace {

namespace rbac_v3 = envoy::config::rbac::v3;

bool any_matches(const std::vector<RulePtr>& rules, const Input& input) {
  return std::ranges::any_of(rules, [&](const RulePtr& rule) { return rule->matches(input); });
}

}  // namespace

Result<Engine::Policy> Engine::make_policy(const std::string& name, const rbac_v3::Policy& config) {
  if (config.has_condition() || config.has_checked_condition())
    return fail("condition: is not supported");
  Policy policy;
  policy.name = name;
  for (int i = 0; i < config.permissions_size(); ++i) {
    auto rule = make_permission(config.permissions(i));
    if (!rule) return std::unexpected(in_field(rule.error(), fmt::format("permissions[{}]", i)));
    policy.permissions.push_back(*std::move(rule));
  }
  for (int i = 0; i < config.principals_size(); ++i) {
    auto rule = make_principal(config.principals(i));
    if (!rule) return std::unexpected(in_field(rule.error(), fmt::format("principals[{}]", i)));
    policy.principals.push_back(*std::move(rule));
  }
  return policy;
}

Result<std::shared_ptr<const Engine>> Engine::create(const rbac_v3::RBAC& config) {
  if (config.has_audit_logging_options()) return fail("audit_logging_options: is not supported");
  auto engine = std::make_shared<Engine>();
  switch (config.action()) {
    case rbac_v3::RBAC::ALLOW:
      engine->action_ = Action::Allow;
      break;
    case rbac_v3::RBAC::DENY:
      engine->action_ = Action::Deny;
      break;
    case rbac_v3::RBAC::LOG:
      engine->action_ = Action::Log;
      break;
    default:
      return fail("action: is not known");
  }
  std::map<std::string, const rbac_v3::Policy*> sorted;
  for (const auto& [name, policy] : config.policies()) sorted.emplace(name, &policy);
  for (const auto& [name, config_policy] : sorted) {
    auto policy = make_policy(name, *config_policy);
    if (!policy)
      return std::unexpected(in_field(policy.error(), fmt::format("policies[{}]", name)));
    engine->policies_.push_back(*std::move(policy));
  }
  return engine;
}

Verdict Engine::evaluate(const Input& input) const {
  for (const Policy& policy : policies_) {
    if (any_matches(policy.permissions, input) && any_matches(policy.principals, input)) {
      return {action_ != Action::Deny, &policy.name};
    }
  }
  return {action_ != Action::Allow, nullptr};
}

std::string denial_details(const Verdict& verdict) {
  std::string details = fmt::format("rbac_access_denied_matched_policy[{}]",
                                    verdict.policy ? *verdict.policy : "none");
  std::ranges::replace(details, ' ', '_');
  return details;
}

}  // namespace sennit::proxy::rbac

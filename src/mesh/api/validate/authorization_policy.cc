#include "mesh/api/istio/authorization_policy.pb.h"

#include <algorithm>

#include "mesh/api/validate/common.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

void check_ports(Checker& checker, const std::string& field, const StringList& ports) {
  for (int i = 0; i < ports.size(); ++i) {
    const bool digits = !ports[i].empty() && ports[i].size() <= 5 &&
                        ports[i].find_first_not_of("0123456789") == std::string::npos;
    const unsigned long port = digits ? std::stoul(ports[i]) : 0;
    if (port == 0 || port > kMaxPort)
      checker.error(at(field, i), "\"{}\" is no port; write 1 to {}", ports[i], kMaxPort);
  }
}

void check_addresses(Checker& checker, const std::string& field, const StringList& blocks) {
  for (int i = 0; i < blocks.size(); ++i)
    if (!is_ip_or_cidr(blocks[i]))
      checker.error(at(field, i), "\"{}\" is no IP address or CIDR prefix", blocks[i]);
}

// "{*}" is one path segment, "{**}" any number and the last of its kind.
void check_paths(Checker& checker, const std::string& field, const StringList& paths) {
  for (int i = 0; i < paths.size(); ++i) {
    std::string_view rest = paths[i];
    if (rest.find('{') == std::string_view::npos && rest.find('}') == std::string_view::npos)
      continue;
    bool ended = false, good = true;
    while (good && !rest.empty()) {
      const size_t slash = rest.find('/');
      const std::string_view segment = rest.substr(0, slash);
      rest = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
      if (segment.find_first_of("{}") == std::string_view::npos) continue;
      good = !ended && (segment == "{*}" || segment == "{**}");
      ended = segment == "{**}";
    }
    if (!good)
      checker.error(at(field, i),
                    "\"{}\": only {{*}} and, once, {{**}} can stand as whole segments", paths[i]);
  }
}

void check_source(Checker& checker, const std::string& field, const api::Source& source,
                  bool custom) {
  if (source.ByteSizeLong() == 0) checker.error(field, "is empty; say who, or remove it");
  const std::tuple<std::string_view, const StringList*, bool> lists[] = {
      {"principals", &source.principals(), true},
      {"notPrincipals", &source.not_principals(), true},
      {"requestPrincipals", &source.request_principals(), true},
      {"notRequestPrincipals", &source.not_request_principals(), true},
      {"namespaces", &source.namespaces(), true},
      {"notNamespaces", &source.not_namespaces(), true},
      {"serviceAccounts", &source.service_accounts(), true},
      {"notServiceAccounts", &source.not_service_accounts(), true},
      {"trustDomains", &source.trust_domains(), true},
      {"notTrustDomains", &source.not_trust_domains(), true},
      {"ipBlocks", &source.ip_blocks(), false},
      {"notIpBlocks", &source.not_ip_blocks(), false},
      {"remoteIpBlocks", &source.remote_ip_blocks(), false},
      {"notRemoteIpBlocks", &source.not_remote_ip_blocks(), false}};
  for (const auto& [name, list, identity] : lists) {
    const std::string path = below(field, name);
    check_no_empty_item(checker, path, *list);
    if (!identity) check_addresses(checker, path, *list);
    if (identity && custom && !list->empty())
      checker.error(path, "cannot be used with action CUSTOM, which runs before it is known");
  }
  const bool accounts =
      source.service_accounts_size() > 0 || source.not_service_accounts_size() > 0;
  const bool others = source.principals_size() + source.not_principals_size() +
                          source.namespaces_size() + source.not_namespaces_size() >
                      0;
  if (accounts && others)
    checker.error(below(field, "serviceAccounts"),
                  "cannot stand beside principals or namespaces; choose one");
}

void check_operation(Checker& checker, const std::string& field, const api::Operation& operation) {
  if (operation.ByteSizeLong() == 0) checker.error(field, "is empty; say what, or remove it");
  const std::pair<std::string_view, const StringList*> lists[] = {
      {"hosts", &operation.hosts()},     {"notHosts", &operation.not_hosts()},
      {"methods", &operation.methods()}, {"notMethods", &operation.not_methods()},
      {"paths", &operation.paths()},     {"notPaths", &operation.not_paths()}};
  for (const auto& [name, list] : lists) check_no_empty_item(checker, below(field, name), *list);
  check_ports(checker, below(field, "ports"), operation.ports());
  check_ports(checker, below(field, "notPorts"), operation.not_ports());
  check_paths(checker, below(field, "paths"), operation.paths());
  check_paths(checker, below(field, "notPaths"), operation.not_paths());
}

bool is_condition_key(std::string_view key) {
  static constexpr std::string_view kKeys[] = {"source.ip",
                                               "remote.ip",
                                               "source.namespace",
                                               "source.principal",
                                               "source.serviceAccount",
                                               "source.trustDomain",
                                               "request.auth.principal",
                                               "request.auth.audiences",
                                               "request.auth.presenter",
                                               "destination.ip",
                                               "destination.port",
                                               "connection.sni"};
  if (std::ranges::count(kKeys, key) > 0) return true;
  if (key.starts_with("experimental.envoy.filters.")) return true;
  for (std::string_view prefix : {"request.headers[", "request.auth.claims["})
    if (key.starts_with(prefix)) return key.ends_with(']') && key.size() > prefix.size() + 1;
  return false;
}

void check_condition(Checker& checker, const std::string& field, const api::Condition& condition,
                     bool custom) {
  const std::string_view key = condition.key();
  if (key.empty()) return checker.error(field, "needs a \"key\"");
  if (!is_condition_key(key))
    checker.error(
        below(field, "key"),
        "\"{}\" is no attribute; write request.headers[NAME], "
        "source.ip, remote.ip, source.namespace, source.principal, request.auth.principal, "
        "request.auth.audiences, request.auth.presenter, request.auth.claims[NAME], "
        "destination.ip, destination.port or connection.sni",
        key);
  if (custom &&
      (key.starts_with("request.auth.") || key == "source.principal" || key == "source.namespace"))
    checker.error(below(field, "key"), "{} cannot be used with action CUSTOM", key);
  if (condition.values_size() + condition.not_values_size() == 0)
    checker.error(field, "needs \"values\" or \"notValues\"");
  for (const auto& [name, list] : {std::pair("values", &condition.values()),
                                   std::pair("notValues", &condition.not_values())}) {
    const std::string path = below(field, name);
    check_no_empty_item(checker, path, *list);
    if (key == "source.ip" || key == "remote.ip" || key == "destination.ip")
      check_addresses(checker, path, *list);
    if (key == "destination.port") check_ports(checker, path, *list);
  }
}

void check_rule(Checker& checker, const std::string& field, const api::Rule& rule, bool custom) {
  for (int i = 0; i < rule.from_size(); ++i)
    check_source(checker, below(at(below(field, "from"), i), "source"), rule.from(i).source(),
                 custom);
  for (int i = 0; i < rule.to_size(); ++i)
    check_operation(checker, below(at(below(field, "to"), i), "operation"), rule.to(i).operation());
  for (int i = 0; i < rule.when_size(); ++i)
    check_condition(checker, at(below(field, "when"), i), rule.when(i), custom);
}

}  // namespace

void validate_authorization_policy(const Resource& resource, Checker& checker) {
  using Policy = api::AuthorizationPolicy;
  const auto& spec = resource.as<Policy>();
  check_attachment(checker, spec);
  const bool custom = spec.action() == Policy::CUSTOM;
  if (spec.rules_size() == 0 && (custom || spec.action() == Policy::DENY))
    checker.error("rules",
                  "is missing: the policy would never apply; write \"rules: [{{}}]\" to "
                  "mean every request");
  if (custom && spec.provider().name().empty())
    checker.error("provider.name", "is missing; action CUSTOM needs it");
  if (!custom && spec.has_provider()) checker.error("provider", "belongs to action CUSTOM only");
  for (int i = 0; i < spec.rules_size(); ++i)
    check_rule(checker, at("rules", i), spec.rules(i), custom);
}

}  // namespace sennit::mesh

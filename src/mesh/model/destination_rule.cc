#include "mesh/model/destination_rule.h"

#include <algorithm>

#include "mesh/model/hostname.h"

namespace sennit::mesh {

namespace {

bool has_selector(const api::DestinationRule& spec) {
  return !spec.workload_selector().match_labels().empty();
}

// Adds `spec`'s subsets that are new, and its policy where there is none.
void merge_into(api::DestinationRule& into, const api::DestinationRule& spec) {
  for (const auto& subset : spec.subsets()) {
    bool known = std::ranges::any_of(
        into.subsets(), [&](const auto& existing) { return existing.name() == subset.name(); });
    if (!known) *into.add_subsets() = subset;
  }
  if (!into.has_traffic_policy() && spec.has_traffic_policy()) {
    *into.mutable_traffic_policy() = spec.traffic_policy();
  }
}

// The most specific host of `rules` that `host` is of.
const std::vector<DestinationRulePtr>* find_host(
    const std::map<std::string, std::vector<DestinationRulePtr>>& rules, const std::string& host) {
  if (auto exact = rules.find(host); exact != rules.end()) return &exact->second;
  const std::vector<DestinationRulePtr>* best = nullptr;
  size_t best_length = 0;
  for (const auto& [pattern, entries] : rules) {
    if (!pattern.starts_with("*") || !host_subset_of(host, pattern)) continue;
    if (pattern.size() > best_length) {
      best = &entries;
      best_length = pattern.size();
    }
  }
  return best;
}

}  // namespace

DestinationRuleIndex make_destination_rules(const std::vector<ResourcePtr>& resources,
                                            const Mesh& mesh) {
  std::map<std::string, std::map<std::string, std::vector<std::shared_ptr<DestinationRuleEntry>>>>
      made;
  for (const auto& resource : resources) {
    const auto& spec = resource->as<api::DestinationRule>();
    const auto& written = spec.export_to().empty()
                              ? mesh.config().default_destination_rule_export_to()
                              : spec.export_to();
    std::vector<std::string> export_to(written.begin(), written.end());
    std::string host = qualify_host(spec.host(), resource->namespace_, mesh.identity().domain);
    auto& entries = made[resource->namespace_][host];
    auto same = std::ranges::find_if(entries, [&](const auto& entry) {
      return !has_selector(spec) && !has_selector(entry->spec) && entry->export_to == export_to;
    });
    if (same != entries.end()) {
      merge_into((*same)->spec, spec);
      continue;
    }
    auto entry = std::make_shared<DestinationRuleEntry>();
    entry->resource = resource;
    entry->spec = spec;
    entry->spec.set_host(host);
    entry->export_to = std::move(export_to);
    entries.push_back(std::move(entry));
  }
  DestinationRuleIndex out;
  for (auto& [namespace_, hosts] : made) {
    for (auto& [host, entries] : hosts) {
      out[namespace_][host].assign(entries.begin(), entries.end());
    }
  }
  return out;
}

DestinationRulePtr Mesh::destination_rule(const Service& service, std::string_view client_namespace,
                                          const Labels& client_labels) const {
  auto lookup = [&](std::string_view namespace_) -> DestinationRulePtr {
    auto rules = destination_rules_.find(namespace_);
    if (rules == destination_rules_.end()) return nullptr;
    const auto* entries = find_host(rules->second, service.hostname);
    if (entries == nullptr) return nullptr;
    DestinationRulePtr general;
    for (const auto& entry : *entries) {
      if (!visible(entry->export_to, namespace_, client_namespace)) continue;
      if (!has_selector(entry->spec)) {
        if (!general) general = entry;
        continue;
      }
      const auto& wanted = entry->spec.workload_selector().match_labels();
      bool own = namespace_ == client_namespace;
      if (own && selects({wanted.begin(), wanted.end()}, client_labels)) return entry;
    }
    return general;
  };
  // A proxy of the root namespace (a gateway) looks at the service's namespace before its own.
  if (client_namespace != root_namespace_) {
    if (auto rule = lookup(client_namespace)) return rule;
  }
  if (service.namespace_ != client_namespace || client_namespace == root_namespace_) {
    if (auto rule = lookup(service.namespace_)) return rule;
  }
  return lookup(root_namespace_);
}

}  // namespace sennit::mesh

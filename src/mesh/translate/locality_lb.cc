// LocalityLoadBalancerSetting: shares by locality, and failover by nearness.
#include <algorithm>
#include <set>

#include "mesh/translate/endpoints.h"

namespace sennit::mesh {

namespace {

using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::endpoint::v3::LocalityLbEndpoints;

Locality locality_of(const LocalityLbEndpoints& group) {
  return {group.locality().region(), group.locality().zone(), group.locality().sub_zone()};
}

// "region/zone/*" and shorter forms cover what lies within.
bool covers(const std::string& written, const Locality& locality) {
  Locality pattern = parse_locality(written);
  auto part = [](const std::string& wanted, const std::string& actual) {
    return wanted.empty() || wanted == "*" || wanted == actual;
  };
  return part(pattern.region, locality.region) && part(pattern.zone, locality.zone) &&
         part(pattern.sub_zone, locality.sub_zone);
}

void distribute(const api::LocalityLoadBalancerSetting::Distribute& rule,
                ClusterLoadAssignment& assignment) {
  std::vector<uint32_t> weights(static_cast<size_t>(assignment.endpoints_size()), 0);
  std::vector<bool> chosen(weights.size(), false);
  std::map<std::string, uint32_t> shares(rule.to().begin(), rule.to().end());
  for (const auto& [to, share] : shares) {
    std::vector<size_t> members;
    uint64_t total = 0;
    for (int i = 0; i < assignment.endpoints_size(); ++i) {
      size_t at = static_cast<size_t>(i);
      if (chosen[at] || !covers(to, locality_of(assignment.endpoints(i)))) continue;
      members.push_back(at);
      chosen[at] = true;
      total += assignment.endpoints(i).load_balancing_weight().value();
    }
    // A share is split among its localities in proportion to what they can carry.
    for (size_t at : members) {
      uint64_t own = assignment.endpoints(static_cast<int>(at)).load_balancing_weight().value();
      weights[at] = static_cast<uint32_t>((share * own + total - 1) / total);
    }
  }
  auto* groups = assignment.mutable_endpoints();
  for (int i = groups->size() - 1; i >= 0; --i) {
    uint32_t weight = weights[static_cast<size_t>(i)];
    if (weight == 0) {
      groups->DeleteSubrange(i, 1);
    } else {
      groups->Mutable(i)->mutable_load_balancing_weight()->set_value(weight);
    }
  }
}

uint32_t distance(const Locality& from, const Locality& to) {
  if (from.region != to.region) return 3;
  if (from.zone != to.zone) return 2;
  return from.sub_zone == to.sub_zone ? 0 : 1;
}

void set_priorities(const Locality& from, const api::LocalityLoadBalancerSetting& setting,
                    ClusterLoadAssignment& assignment) {
  std::string preferred;
  for (const auto& rule : setting.failover()) {
    if (rule.from() == from.region) preferred = rule.to();
  }
  std::vector<uint32_t> priorities;
  for (const auto& group : assignment.endpoints()) {
    Locality to = locality_of(group);
    uint32_t priority = distance(from, to);
    if (priority == 3 && !preferred.empty() && to.region != preferred) priority = 4;
    priorities.push_back(priority);
  }
  // Priorities must have no gaps.
  std::set<uint32_t> used(priorities.begin(), priorities.end());
  for (int i = 0; i < assignment.endpoints_size(); ++i) {
    auto rank = std::distance(used.begin(), used.find(priorities[static_cast<size_t>(i)]));
    assignment.mutable_endpoints(i)->set_priority(static_cast<uint32_t>(rank));
  }
}

}  // namespace

void apply_locality(const Proxy& proxy, const api::LocalityLoadBalancerSetting& setting,
                    bool failover, ClusterLoadAssignment& assignment) {
  Locality from{proxy.region, proxy.zone, proxy.sub_zone};
  if (from.region.empty()) return;
  if (!setting.distribute().empty()) {
    for (const auto& rule : setting.distribute()) {
      if (covers(rule.from(), from)) return distribute(rule, assignment);
    }
    return;
  }
  // Without outlier detection nothing would ever tell that it is time to fail over.
  if (failover) set_priorities(from, setting, assignment);
}

}  // namespace sennit::mesh

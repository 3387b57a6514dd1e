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
  for (auto& group : *assignment.mutable_endpoints()) {
    Locality to = locality_of(group);
    uint32_t priority = distance(from, to);
    if (priority == 3 && !preferred.empty() && to.region != preferred) priority = 4;
    group.set_priority(priority);
  }
  close_priority_gaps(assignment);
}

// A label as failoverPriority names it; where something runs is known without its being written.
std::string label_value(const Labels& labels, const Locality& locality, const std::string& key) {
  if (auto found = labels.find(key); found != labels.end()) return found->second;
  if (key == "topology.kubernetes.io/region") return locality.region;
  if (key == "topology.kubernetes.io/zone") return locality.zone;
  if (key == "topology.istio.io/subzone") return locality.sub_zone;
  return "";
}

}  // namespace

void close_priority_gaps(ClusterLoadAssignment& assignment) {
  std::set<uint32_t> used;
  for (const auto& group : assignment.endpoints()) used.insert(group.priority());
  for (auto& group : *assignment.mutable_endpoints()) {
    auto rank = std::distance(used.begin(), used.find(group.priority()));
    group.set_priority(static_cast<uint32_t>(rank));
  }
}

uint32_t label_priority(const Proxy& proxy, const api::LocalityLoadBalancerSetting& setting,
                        const Workload& workload) {
  Locality own{proxy.region, proxy.zone, proxy.sub_zone};
  auto left = static_cast<uint32_t>(setting.failover_priority_size());
  for (const auto& written : setting.failover_priority()) {
    size_t equals = written.find('=');
    std::string key = written.substr(0, equals);
    std::string wanted =
        equals == written.npos ? label_value(proxy.labels, own, key) : written.substr(equals + 1);
    if (wanted.empty() || label_value(workload.labels, workload.locality, key) != wanted) break;
    --left;
  }
  return left;
}

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

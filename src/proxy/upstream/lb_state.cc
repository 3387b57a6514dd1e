#include "proxy/upstream/lb_state.h"

#include <algorithm>
#include <numeric>

#include "proxy/upstream/lb_tables.h"

namespace sennit::proxy {
namespace {

// All priorities are in panic: traffic follows the number of hosts, sick or not.
void spread_by_size(std::span<const PriorityHealth> priorities, PriorityLoads& loads) {
  uint32_t hosts = 0, given = 0;
  for (const auto& priority : priorities) hosts += priority.total;
  std::fill(loads.healthy.begin(), loads.healthy.end(), 0);
  std::fill(loads.degraded.begin(), loads.degraded.end(), 0);
  if (hosts == 0) {
    if (!loads.healthy.empty()) loads.healthy[0] = 100;
    return;
  }
  for (size_t i = 0; i < priorities.size(); ++i) {
    loads.healthy[i] = 100 * priorities[i].total / hosts;
    given += loads.healthy[i];
  }
  for (size_t i = 0; i < priorities.size(); ++i) {
    if (priorities[i].total == 0) continue;
    loads.healthy[i] += 100 - given;
    return;
  }
}

}  // namespace

PriorityLoads compute_priority_loads(std::span<const PriorityHealth> priorities,
                                     uint32_t overprovisioning_percent, double panic_threshold) {
  const size_t count = priorities.size();
  PriorityLoads loads{std::vector<uint32_t>(count), std::vector<uint32_t>(count),
                      std::vector<bool>(count)};
  if (count == 0) return loads;
  auto share = [&](uint32_t part, uint32_t total) -> uint32_t {
    return total == 0 ? 0
                      : static_cast<uint32_t>(std::min<uint64_t>(
                            100, uint64_t{overprovisioning_percent} * part / total));
  };
  std::vector<uint32_t> healthy(count), degraded(count);
  uint32_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    healthy[i] = share(priorities[i].healthy, priorities[i].total);
    degraded[i] = share(priorities[i].degraded, priorities[i].total);
    sum += healthy[i] + degraded[i];
  }
  const uint32_t available = std::min(sum, 100u);
  if (available == 0) {
    loads.healthy[0] = 100;
  } else {
    uint32_t left = 100;
    for (auto [from, to] : {std::pair{&healthy, &loads.healthy}, {&degraded, &loads.degraded}}) {
      for (size_t i = 0; i < count; ++i) {
        (*to)[i] = std::min(left, (*from)[i] * 100 / available);
        left -= (*to)[i];
      }
    }
    // What rounding left over goes to the first priority that takes any.
    for (auto* to : {&loads.healthy, &loads.degraded}) {
      for (size_t i = 0; i < count && left > 0; ++i) {
        if ((*to)[i] == 0) continue;
        (*to)[i] += left;
        left = 0;
      }
    }
  }
  if (panic_threshold <= 0 || available == 100) return loads;
  bool total_panic = true;
  for (size_t i = 0; i < count; ++i) {
    const auto& p = priorities[i];
    const double usable = p.total == 0 ? 0 : 100.0 * (p.healthy + p.degraded) / p.total;
    loads.panic[i] = usable < panic_threshold;
    total_panic = total_panic && loads.panic[i];
  }
  if (total_panic) spread_by_size(priorities, loads);
  return loads;
}

class LbStateBuilder {
 public:
  LbStateBuilder(const HostSet& set, const LbConfig& config) : set_(set), config_(config) {}

  std::unique_ptr<LbState> build(const std::vector<HostPtr>& hosts) {
    auto state = std::make_unique<LbState>();
    const size_t count = std::max<size_t>(1, set_.locality_weights.size());
    state->priorities.resize(count);
    std::vector<PriorityHealth> health(count);
    for (const HostPtr& host : hosts) {
      const uint32_t p = host->priority;
      PriorityState& priority = state->priorities[p];
      priority.all.hosts.push_back(host);
      ++health[p].total;
      if (host->degraded()) {
        priority.degraded.hosts.push_back(host);
        ++health[p].degraded;
      } else if (host->healthy()) {
        priority.healthy.hosts.push_back(host);
        ++health[p].healthy;
      }
    }
    state->loads =
        compute_priority_loads(health, set_.overprovisioning_percent, config_.panic_threshold);
    for (size_t p = 0; p < count; ++p) finish(state->priorities[p], p, state->loads.panic[p]);
    return state;
  }

  std::shared_ptr<const LbState> build_root() {
    std::unique_ptr<LbState> root = build(set_.hosts);
    if (config_.subset) add_subsets(*root);
    root->list_count_ = next_id_;
    return root;
  }

 private:
  void finish(PriorityState& priority, size_t p, bool panic) {
    priority.panic = panic;
    const bool hashes =
        config_.algorithm == LbAlgorithm::RingHash || config_.algorithm == LbAlgorithm::Maglev;
    finish(priority.healthy, p, !panic);
    finish(priority.degraded, p, !priority.degraded.hosts.empty());
    finish(priority.all, p, panic);
    if (config_.locality_weighted && !hashes) add_localities(priority, p);
  }

  // `used`: tables are made only for lists that can be drawn from.
  void finish(HostList& list, size_t p, bool used) {
    list.id = next_id_++;
    list.weights.reserve(list.hosts.size());
    const bool hashes =
        config_.algorithm == LbAlgorithm::RingHash || config_.algorithm == LbAlgorithm::Maglev;
    for (const HostPtr& host : list.hosts) {
      double weight = host->weight;
      if (hashes && config_.locality_weighted) weight *= locality_weight(p, host->locality);
      list.weights.push_back(weight);
    }
    list.equal_weights = std::adjacent_find(list.weights.begin(), list.weights.end(),
                                            std::not_equal_to<>()) == list.weights.end();
    if (!used || list.hosts.empty()) return;
    if (config_.algorithm == LbAlgorithm::LeastRequest && !list.equal_weights) {
      list.alias = AliasTable(list.weights);
    }
    if (hashes) add_hash_table(list);
  }

  void add_hash_table(HostList& list) {
    // Hosts of localities without weight get no traffic.
    std::vector<HostPtr> hosts;
    std::vector<double> weights;
    std::vector<std::string> keys;
    for (size_t i = 0; i < list.hosts.size(); ++i) {
      if (list.weights[i] <= 0) continue;
      const Host& host = *list.hosts[i];
      hosts.push_back(list.hosts[i]);
      weights.push_back(list.weights[i]);
      keys.push_back(config_.hash_hostname && !host.hostname.empty() ? host.hostname
                                                                     : host.address.to_string());
    }
    list.hosts = std::move(hosts);
    list.weights = std::move(weights);
    if (config_.algorithm == LbAlgorithm::RingHash) {
      list.ring =
          build_ring(keys, list.weights, config_.minimum_ring_size, config_.maximum_ring_size);
    } else {
      list.maglev = build_maglev(keys, list.weights, config_.maglev_table_size);
    }
  }

  double locality_weight(size_t p, const Locality& locality) const {
    if (p >= set_.locality_weights.size()) return 0;
    auto found = set_.locality_weights[p].find(locality);
    return found == set_.locality_weights[p].end() ? 0 : found->second;
  }

  void add_localities(PriorityState& priority, size_t p) {
    std::map<Locality, HostList> healthy;
    std::map<Locality, uint32_t> totals;
    for (const HostPtr& host : priority.all.hosts) ++totals[host->locality];
    for (const HostPtr& host : priority.healthy.hosts)
      healthy[host->locality].hosts.push_back(host);
    std::vector<double> weights;
    for (auto& [locality, list] : healthy) {
      const double available =
          std::min(1.0, set_.overprovisioning_percent / 100.0 *
                            static_cast<double>(list.hosts.size()) / totals[locality]);
      const double weight = locality_weight(p, locality) * available;
      if (weight <= 0) continue;
      finish(list, p, true);
      priority.localities.push_back(std::move(list));
      weights.push_back(weight);
    }
    priority.locality_draw = AliasTable(weights);
  }

  void add_subsets(LbState& root) {
    root.subset_config_ = std::make_shared<SubsetConfig>(*config_.subset);
    std::map<std::vector<Metadata>, std::vector<HostPtr>> members;
    std::vector<HostPtr> default_members;
    for (const HostPtr& host : set_.hosts) {
      for (const SubsetSelector& selector : config_.subset->selectors) {
        std::vector<Metadata> key;
        for (const std::string& name : selector.keys) {
          auto found = host->lb_metadata.find(name);
          if (found != host->lb_metadata.end()) key.emplace_back(*found);
        }
        if (key.size() == selector.keys.size()) members[std::move(key)].push_back(host);
      }
      const auto& wanted = config_.subset->default_subset;
      if (std::all_of(wanted.begin(), wanted.end(), [&](const Metadata& want) {
            auto found = host->lb_metadata.find(want.first);
            return found != host->lb_metadata.end() && found->second == want.second;
          })) {
        default_members.push_back(host);
      }
    }
    for (auto& [key, hosts] : members) root.subsets_.emplace(key, build(hosts));
    root.default_subset_ = build(default_members);
  }

  const HostSet& set_;
  const LbConfig& config_;
  uint32_t next_id_ = 0;
};

bool LbState::Less::operator()(std::span<const Metadata> a, std::span<const Metadata> b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

LbState::Selection LbState::select(std::span<const Metadata> criteria) const {
  if (!subset_config_) return {this, false};
  auto fallback = subset_config_->fallback;
  if (!criteria.empty()) {
    auto found = subsets_.find(criteria);
    if (found != subsets_.end()) return {found->second.get(), false};
    for (const SubsetSelector& selector : subset_config_->selectors) {
      if (selector.fallback == SubsetSelector::Fallback::Inherit) continue;
      if (std::equal(criteria.begin(), criteria.end(), selector.keys.begin(), selector.keys.end(),
                     [](const Metadata& m, const std::string& key) { return m.first == key; })) {
        fallback = selector.fallback;
      }
    }
  }
  switch (fallback) {
    case SubsetSelector::Fallback::AnyEndpoint:
      return {this, true};
    case SubsetSelector::Fallback::DefaultSubset:
      return {default_subset_.get(), true};
    default:
      return {};
  }
}

std::shared_ptr<const LbState> build_lb_state(const HostSet& hosts, const LbConfig& config) {
  return LbStateBuilder(hosts, config).build_root();
}

}  // namespace sennit::proxy

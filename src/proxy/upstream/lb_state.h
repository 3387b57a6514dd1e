// What a cluster's balancers draw from: hosts by priority, health and locality, with the tables of
// the algorithm. Built on the main thread when hosts or their health change, once for all workers;
// immutable. The workers keep only cursors beside it (balancer.h), indexed by HostList::id.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/host.h"

namespace sennit::proxy {

// Draws an index with a probability in proportion to its weight, in O(1) (Vose's alias method).
class AliasTable {
 public:
  AliasTable() = default;
  explicit AliasTable(const std::vector<double>& weights);
  bool empty() const { return cells_.empty(); }
  size_t draw(uint64_t random) const;

 private:
  struct Cell {
    uint32_t threshold;  // of 2^32: below it the cell's own index
    uint32_t other;
  };
  std::vector<Cell> cells_;
};

struct RingEntry {
  uint64_t hash;
  uint32_t host;
  auto operator<=>(const RingEntry&) const = default;
};

// One set of hosts that an algorithm draws from.
struct HostList {
  uint32_t id = 0;
  std::vector<HostPtr> hosts;
  std::vector<double> weights;  // as long as `hosts`
  bool equal_weights = true;
  AliasTable alias;              // least request with unequal weights
  std::vector<RingEntry> ring;   // ring hash, sorted
  std::vector<uint32_t> maglev;  // table of host indexes

  // The host that owns `hash` by ring or Maglev table; nullptr where there is none.
  const HostPtr* by_hash(uint64_t hash) const;
};

struct PriorityState {
  HostList healthy, degraded, all;
  bool panic = false;
  // With locality weighting: the healthy hosts by locality, drawn by `locality_draw`.
  std::vector<HostList> localities;
  AliasTable locality_draw;
};

// How traffic is split, in percent, over priorities; sums to 100 (Envoy's priority levels, with
// overprovisioning and panic).
struct PriorityLoads {
  std::vector<uint32_t> healthy, degraded;
  std::vector<bool> panic;
};
struct PriorityHealth {
  uint32_t total = 0, healthy = 0, degraded = 0;
};
PriorityLoads compute_priority_loads(std::span<const PriorityHealth> priorities,
                                     uint32_t overprovisioning_percent, double panic_threshold);

using Metadata = std::pair<std::string, std::string>;

class LbState {
 public:
  std::vector<PriorityState> priorities;
  PriorityLoads loads;

  // Subset balancing: nullptr where the root has none for these criteria and no fallback.
  struct Selection {
    const LbState* state = nullptr;
    bool fallback = false;
  };
  Selection select(std::span<const Metadata> criteria) const;
  bool has_subsets() const { return subset_config_ != nullptr; }
  uint32_t list_count() const { return list_count_; }
  template <typename Visit>
  void visit_lists(Visit&& visit) const {
    for (const PriorityState& priority : priorities) {
      visit(priority.healthy);
      visit(priority.degraded);
      visit(priority.all);
      for (const HostList& list : priority.localities) visit(list);
    }
    for (const auto& [key, subset] : subsets_) subset->visit_lists(visit);
    if (default_subset_) default_subset_->visit_lists(visit);
  }

 private:
  friend class LbStateBuilder;
  struct Less {
    using is_transparent = void;
    bool operator()(std::span<const Metadata> a, std::span<const Metadata> b) const;
  };
  std::map<std::vector<Metadata>, std::unique_ptr<LbState>, Less> subsets_;
  std::unique_ptr<LbState> default_subset_;
  std::shared_ptr<const SubsetConfig> subset_config_;
  uint32_t list_count_ = 0;
};

// Hosts as discovery gave them, with what is not the hosts' own.
struct HostSet {
  std::vector<HostPtr> hosts;
  // By priority: weights of the localities (0: no traffic with locality weighting).
  std::vector<std::map<Locality, uint32_t>> locality_weights;
  uint32_t overprovisioning_percent = 140;
};

std::shared_ptr<const LbState> build_lb_state(const HostSet& hosts, const LbConfig& config);

}  // namespace sennit::proxy

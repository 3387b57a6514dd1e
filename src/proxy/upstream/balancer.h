// Draws a host for each request from an LbState: first the subset, then the priority, then (with
// locality weighting) the locality, then by the cluster's algorithm. One per cluster and worker;
// holds only cursors. `pick` allocates nothing.
#pragma once

#include <memory>
#include <vector>

#include "proxy/upstream/cluster_manager.h"
#include "proxy/upstream/lb_state.h"

namespace sennit::proxy {

// A sequence of random numbers from one seed (splitmix64).
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed) {}
  uint64_t next();
  // Below `bound`, which is above 0.
  uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }

 private:
  uint64_t state_;
};

class Balancer {
 public:
  explicit Balancer(uint64_t seed) : own_(seed) {}
  // `config` must live as long as the balancer or until the next update.
  void update(std::shared_ptr<const LbState> state, const LbConfig& config);

  struct Pick {
    HostPtr host;  // nullptr: none may be used
    bool panic = false;
    bool subset = false, subset_fallback = false;
  };
  Pick pick(const PickContext& context);

 private:
  // Weighted round robin, earliest deadline first: each host comes back after 1 / weight.
  struct Turn {
    double deadline;
    uint32_t order, host;
    bool operator>(const Turn& other) const {
      return deadline != other.deadline ? deadline > other.deadline : order > other.order;
    }
  };
  struct Cursor {
    uint64_t position = 0;
    uint32_t order = 0;
    std::vector<Turn> turns;  // a heap
  };

  const HostList* choose_list(const LbState& state, const PickContext& context, Draws& draws,
                              Pick& pick) const;
  const HostPtr& draw(const HostList& list, const PickContext& context, Draws& draws,
                      uint32_t redraw);
  const HostPtr& next_turn(const HostList& list);
  const HostPtr& least_loaded(const HostList& list, Draws& draws) const;

  std::shared_ptr<const LbState> state_;
  const LbConfig* config_ = nullptr;
  std::vector<Cursor> cursors_;
  Draws own_;
};

}  // namespace sennit::proxy

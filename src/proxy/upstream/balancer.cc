#include "proxy/upstream/balancer.h"

#include <algorithm>

namespace sennit::proxy {

uint64_t Draws::next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void Balancer::update(std::shared_ptr<const LbState> state, const LbConfig& config) {
  state_ = std::move(state);
  config_ = &config;
  cursors_.assign(state_->list_count(), {});
  if (config.algorithm != LbAlgorithm::RoundRobin) return;
  state_->visit_lists([this](const HostList& list) {
    if (list.hosts.empty()) return;
    Cursor& cursor = cursors_[list.id];
    // Workers and proxies that start together must not all begin with the same host.
    cursor.position = own_.below(list.hosts.size());
    if (list.equal_weights) return;
    for (uint32_t i = 0; i < list.hosts.size(); ++i) {
      const double phase = static_cast<double>(own_.next() >> 11) * 0x1.0p-53;
      cursor.turns.push_back({phase / list.weights[i], cursor.order++, i});
    }
    std::make_heap(cursor.turns.begin(), cursor.turns.end(), std::greater<>());
  });
}

const HostList* Balancer::choose_list(const LbState& state, const PickContext& context,
                                      Draws& draws, Pick& pick) const {
  const bool hashes =
      config_->algorithm == LbAlgorithm::RingHash || config_->algorithm == LbAlgorithm::Maglev;
  uint64_t percent = hashes && context.hash ? *context.hash % 100 : draws.below(100);
  size_t priority = 0;
  bool degraded = false, found = false;
  for (const bool pass : {false, true}) {
    const auto& loads = pass ? state.loads.degraded : state.loads.healthy;
    for (size_t i = 0; i < loads.size() && !found; ++i) {
      if (percent < loads[i]) {
        priority = i;
        degraded = pass;
        found = true;
      } else {
        percent -= loads[i];
      }
    }
  }
  if (!found) return nullptr;
  const PriorityState& from = state.priorities[priority];
  if (from.panic) {
    pick.panic = true;
    return config_->fail_traffic_on_panic ? nullptr : &from.all;
  }
  if (degraded) return &from.degraded;
  if (!config_->locality_weighted || hashes) return &from.healthy;
  if (from.locality_draw.empty()) return nullptr;
  return &from.localities[from.locality_draw.draw(draws.next())];
}

const HostPtr& Balancer::next_turn(const HostList& list) {
  Cursor& cursor = cursors_[list.id];
  if (list.equal_weights) return list.hosts[cursor.position++ % list.hosts.size()];
  std::pop_heap(cursor.turns.begin(), cursor.turns.end(), std::greater<>());
  Turn& turn = cursor.turns.back();
  const uint32_t host = turn.host;
  turn.deadline += 1 / list.weights[host];
  turn.order = cursor.order++;
  std::push_heap(cursor.turns.begin(), cursor.turns.end(), std::greater<>());
  return list.hosts[host];
}

const HostPtr& Balancer::least_loaded(const HostList& list, Draws& draws) const {
  const size_t count = list.hosts.size();
  size_t best = 0;
  double best_load = 0;
  for (uint32_t choice = 0; choice < config_->choice_count; ++choice) {
    const size_t drawn = list.alias.empty() ? draws.below(count) : list.alias.draw(draws.next());
    const double load =
        list.hosts[drawn]->active_requests.load(std::memory_order_relaxed) / list.weights[drawn];
    if (choice == 0 || load < best_load) {
      best = drawn;
      best_load = load;
    }
  }
  return list.hosts[best];
}

const HostPtr& Balancer::draw(const HostList& list, const PickContext& context, Draws& draws,
                              uint32_t redraw) {
  switch (config_->algorithm) {
    case LbAlgorithm::RoundRobin:
      return next_turn(list);
    case LbAlgorithm::LeastRequest:
      return least_loaded(list, draws);
    case LbAlgorithm::RingHash:
    case LbAlgorithm::Maglev: {
      uint64_t hash = context.hash ? *context.hash : draws.next();
      // A redraw must land elsewhere, and always at the same elsewhere (Envoy).
      if (redraw > 0) hash ^= ~0ULL - redraw + 1;
      if (const HostPtr* host = list.by_hash(hash)) return *host;
      break;
    }
    case LbAlgorithm::Random:
    case LbAlgorithm::OriginalDst:
      break;
  }
  return list.hosts[draws.below(list.hosts.size())];
}

Balancer::Pick Balancer::pick(const PickContext& context) {
  Pick result;
  if (!state_) return result;
  const LbState::Selection selection = state_->select(context.metadata_match);
  result.subset = state_->has_subsets() && selection.state && !selection.fallback;
  result.subset_fallback = selection.fallback;
  if (!selection.state) return result;
  Draws draws(context.random ? context.random : own_.next());
  const HostPtr* host = nullptr;
  for (uint32_t redraw = 0; redraw <= context.host_selection_retries; ++redraw) {
    const HostList* list = choose_list(*selection.state, context, draws, result);
    if (!list || list->hosts.empty()) break;
    host = &draw(*list, context, draws, redraw);
    if (std::find(context.attempted.begin(), context.attempted.end(), *host) ==
        context.attempted.end()) {
      break;
    }
  }
  if (host) result.host = *host;
  return result;
}

}  // namespace sennit::proxy

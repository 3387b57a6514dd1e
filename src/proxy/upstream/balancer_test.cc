#include "proxy/upstream/balancer.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sennit::proxy {
namespace {

HostSet hosts_with_weights(const std::vector<uint32_t>& weights) {
  HostSet set;
  set.locality_weights.resize(1);
  for (size_t i = 0; i < weights.size(); ++i) {
    auto host = std::make_shared<Host>();
    host->address = *net::Address::ip("10.0.0.1", static_cast<uint16_t>(1000 + i));
    host->weight = weights[i];
    set.hosts.push_back(host);
  }
  return set;
}

std::vector<double> shares(LbAlgorithm algorithm, const HostSet& set, int draws) {
  LbConfig config;
  config.algorithm = algorithm;
  Balancer balancer(42);
  balancer.update(build_lb_state(set, config), config);
  std::vector<double> counts(set.hosts.size());
  for (int i = 0; i < draws; ++i) {
    counts[balancer.pick({}).host->address.port() - 1000] += 1.0 / draws;
  }
  return counts;
}

void expect_weights(const std::vector<double>& shares, const std::vector<double>& expected, int n) {
  for (size_t i = 0; i < shares.size(); ++i) {
    EXPECT_NEAR(shares[i], expected[i], 5 * std::sqrt(expected[i] * (1 - expected[i]) / n)) << i;
  }
}

TEST(Balancer, RoundRobinFollowsWeights) {
  expect_weights(shares(LbAlgorithm::RoundRobin, hosts_with_weights({1, 2, 7}), 10000),
                 {.1, .2, .7}, 10000);
}
TEST(Balancer, LeastRequestFollowsWeightsWhenNothingIsInFlight) {
  expect_weights(shares(LbAlgorithm::LeastRequest, hosts_with_weights({1, 2, 7}), 10000),
                 {.1, .2, .7}, 10000);
}
TEST(Balancer, RandomIgnoresWeights) {
  expect_weights(shares(LbAlgorithm::Random, hosts_with_weights({1, 2, 7}), 9000),
                 {1 / 3., 1 / 3., 1 / 3.}, 9000);
}
TEST(Balancer, HashingKeepsMostKeysOfTheHostsThatStay) {
  for (auto algorithm : {LbAlgorithm::RingHash, LbAlgorithm::Maglev}) {
    LbConfig config;
    config.algorithm = algorithm;
    HostSet set = hosts_with_weights({1, 1, 1, 1});
    Balancer before(1), after(1);
    before.update(build_lb_state(set, config), config);
    const HostPtr gone = set.hosts.back();
    set.hosts.pop_back();
    after.update(build_lb_state(set, config), config);
    int moved = 0, stayed = 0;
    Draws keys(7);
    for (int i = 0; i < 1000; ++i) {
      PickContext context;
      context.hash = keys.next();
      const HostPtr old = before.pick(context).host;
      if (old == gone) continue;
      ++(old == after.pick(context).host ? stayed : moved);
    }
    // A remainder would move three in four; rings that are filled up again to their minimum move
    // few.
    EXPECT_LT(moved, stayed / 3);
  }
}
TEST(Balancer, RedrawsAHostThatWasTried) {
  HostSet set = hosts_with_weights({1, 1});
  LbConfig config;
  Balancer balancer(1);
  balancer.update(build_lb_state(set, config), config);
  PickContext context;
  context.attempted = std::span(set.hosts).first(1);
  context.host_selection_retries = 3;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(balancer.pick(context).host, set.hosts[1]);
}
TEST(Balancer, NeverDrawsAnUnhealthyHostOutsidePanic) {
  HostSet set = hosts_with_weights({1, 1, 1});
  set.hosts[0]->health_flags = Host::kEjectedByOutlier;
  EXPECT_EQ(shares(LbAlgorithm::RoundRobin, set, 100)[0], 0);
  set.hosts[1]->health_flags = Host::kEjectedByOutlier;  // 33 % healthy: panic, all are drawn
  EXPECT_GT(shares(LbAlgorithm::RoundRobin, set, 100)[0], .2);
}
TEST(PriorityLoads, SpillOverFollowsOverprovisioning) {
  const PriorityHealth half[] = {{10, 5, 0}, {10, 10, 0}};
  EXPECT_EQ(compute_priority_loads(half, 140, 50).healthy, (std::vector<uint32_t>{70, 30}));
  const PriorityHealth enough[] = {{10, 8, 0}, {10, 10, 0}};
  EXPECT_EQ(compute_priority_loads(enough, 140, 50).healthy, (std::vector<uint32_t>{100, 0}));
}

}  // namespace
}  // namespace sennit::proxy

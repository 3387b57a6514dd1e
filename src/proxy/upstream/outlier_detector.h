// Outlier detection of one cluster as Envoy does it: ejects hosts that fail several times in a row
// or more often than their peers, and takes them back after base_ejection_time x (times ejected).
// Main thread; the clock comes in from outside.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "net/event_loop.h"
#include "proxy/upstream/worker_cluster.h"

namespace sennit::proxy {

class OutlierDetector {
 public:
  // `random` gives fresh bits: enforcement percentages and jitter. `changed`: some host's
  // kEjectedByOutlier flag changed.
  OutlierDetector(const OutlierConfig& config, const ClusterStats& stats, stats::Shard& shard,
                  std::function<uint64_t()> random, std::function<void()> changed);
  ~OutlierDetector();

  // The cluster's hosts as of now; those that stay keep their history.
  void set_hosts(const std::vector<HostPtr>& hosts);
  void on_consecutive(const HostPtr& host, OutlierEvent event, net::TimePoint now);
  // Every config.interval.
  void on_interval(net::TimePoint now);
  size_t ejected() const { return ejected_; }

 private:
  struct Monitor {
    HostPtr host;
    bool ejected = false;
    uint32_t backoff = 0;  // multiplies the base ejection time
    net::TimePoint ejected_at, unejected_at;
    net::Milliseconds jitter{0};
  };
  struct Kind {
    uint32_t enforcing;
    stats::CounterId detected, enforced;
  };
  void eject(Monitor& monitor, const Kind& kind, net::TimePoint now);
  void uneject(Monitor& monitor, net::TimePoint now);
  void check_return(Monitor& monitor, net::TimePoint now);
  void check_success_rate(size_t bucket, net::TimePoint now);
  void check_failure_percentage(size_t bucket, net::TimePoint now);

  const OutlierConfig config_;
  const ClusterStats stats_;
  stats::Shard& shard_;
  std::function<uint64_t()> random_;
  std::function<void()> changed_;
  std::unordered_map<const Host*, Monitor> monitors_;
  size_t ejected_ = 0;
  bool dirty_ = false;
  // Of the interval that ended: requests and successes by host, while rates are compared.
  struct Sample {
    Monitor* monitor;
    uint32_t requests, successes;
  };
  std::vector<Sample> samples_[2];
};

}  // namespace sennit::proxy

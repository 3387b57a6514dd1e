#include "proxy/upstream/outlier_detector.h"

#include <algorithm>
#include <cmath>

namespace sennit::proxy {

OutlierDetector::OutlierDetector(const OutlierConfig& config, const ClusterStats& stats,
                                 stats::Shard& shard, std::function<uint64_t()> random,
                                 std::function<void()> changed)
    : config_(config),
      stats_(stats),
      shard_(shard),
      random_(std::move(random)),
      changed_(std::move(changed)) {}

OutlierDetector::~OutlierDetector() {
  if (ejected_ != 0) shard_.add(stats_.ejections_active, -static_cast<int64_t>(ejected_));
}

void OutlierDetector::set_hosts(const std::vector<HostPtr>& hosts) {
  std::unordered_map<const Host*, Monitor> next;
  for (const HostPtr& host : hosts) {
    auto found = monitors_.find(host.get());
    if (found != monitors_.end()) {
      next.emplace(host.get(), std::move(found->second));
      monitors_.erase(found);
      continue;
    }
    Monitor& monitor = next[host.get()];
    monitor.host = host;
    // A host whose detector was replaced with its cluster starts afresh.
    host->health_flags.fetch_and(~uint32_t{Host::kEjectedByOutlier}, std::memory_order_relaxed);
  }
  for (const auto& [key, gone] : monitors_) {
    if (!gone.ejected) continue;
    --ejected_;
    shard_.add(stats_.ejections_active, -1);
  }
  monitors_ = std::move(next);
}

void OutlierDetector::eject(Monitor& monitor, const Kind& kind, net::TimePoint now) {
  const double share =
      100.0 * static_cast<double>(ejected_ + 1) / static_cast<double>(monitors_.size());
  const bool lone_allowed = config_.always_eject_one_host && ejected_ == 0;
  if (share > std::min(100u, config_.max_ejection_percent) && !lone_allowed) {
    shard_.inc(stats_.ejections_overflow);
    return;
  }
  shard_.inc(kind.detected);
  if (random_() % 100 >= kind.enforcing) return;
  shard_.inc(kind.enforced);
  shard_.inc(stats_.ejections_enforced_total);
  shard_.add(stats_.ejections_active, 1);
  ++ejected_;
  monitor.ejected = true;
  monitor.ejected_at = now;
  if (config_.base_ejection_time * monitor.backoff <
      config_.max_ejection_time + config_.base_ejection_time) {
    ++monitor.backoff;
  }
  const auto most = config_.max_ejection_time_jitter.count();
  monitor.jitter = net::Milliseconds(most > 0 ? static_cast<int64_t>(random_() % (most + 1)) : 0);
  monitor.host->health_flags.fetch_or(Host::kEjectedByOutlier, std::memory_order_relaxed);
  dirty_ = true;
}

void OutlierDetector::uneject(Monitor& monitor, net::TimePoint now) {
  monitor.ejected = false;
  monitor.unejected_at = now;
  --ejected_;
  shard_.add(stats_.ejections_active, -1);
  OutlierCounters& counters = monitor.host->outlier;
  counters.consecutive_5xx.store(0, std::memory_order_relaxed);
  counters.consecutive_gateway_failure.store(0, std::memory_order_relaxed);
  counters.consecutive_local_origin_failure.store(0, std::memory_order_relaxed);
  monitor.host->health_flags.fetch_and(~uint32_t{Host::kEjectedByOutlier},
                                       std::memory_order_relaxed);
  dirty_ = true;
}

void OutlierDetector::on_consecutive(const HostPtr& host, OutlierEvent event, net::TimePoint now) {
  auto found = monitors_.find(host.get());
  if (found == monitors_.end()) return;
  Monitor& monitor = found->second;
  OutlierCounters& counters = host->outlier;
  Kind kind{};
  std::atomic<uint32_t>* counter = nullptr;
  switch (event) {
    case OutlierEvent::Consecutive5xx:
      kind = {config_.enforcing_consecutive_5xx, stats_.ejections_detected_consecutive_5xx,
              stats_.ejections_enforced_consecutive_5xx};
      counter = &counters.consecutive_5xx;
      break;
    case OutlierEvent::ConsecutiveGateway:
      kind = {config_.enforcing_consecutive_gateway_failure,
              stats_.ejections_detected_consecutive_gateway_failure,
              stats_.ejections_enforced_consecutive_gateway_failure};
      counter = &counters.consecutive_gateway_failure;
      break;
    case OutlierEvent::ConsecutiveLocalOrigin:
      kind = {config_.enforcing_consecutive_local_origin_failure,
              stats_.ejections_detected_consecutive_local_origin_failure,
              stats_.ejections_enforced_consecutive_local_origin_failure};
      counter = &counters.consecutive_local_origin_failure;
      break;
  }
  if (!monitor.ejected) eject(monitor, kind, now);
  counter->store(0, std::memory_order_relaxed);
  if (std::exchange(dirty_, false)) changed_();
}

void OutlierDetector::check_return(Monitor& monitor, net::TimePoint now) {
  if (monitor.ejected) {
    const auto away =
        std::min(config_.base_ejection_time * monitor.backoff, config_.max_ejection_time) +
        monitor.jitter;
    if (now - monitor.ejected_at >= away) uneject(monitor, now);
  } else if (monitor.backoff > 0 && now - monitor.unejected_at >= config_.interval) {
    --monitor.backoff;
  }
}

void OutlierDetector::check_success_rate(size_t bucket, net::TimePoint now) {
  std::vector<std::pair<Monitor*, double>> rates;
  for (const Sample& sample : samples_[bucket]) {
    if (sample.requests == 0 || sample.requests < config_.success_rate_request_volume) continue;
    rates.emplace_back(sample.monitor, 100.0 * sample.successes / sample.requests);
  }
  if (rates.empty() || rates.size() < config_.success_rate_minimum_hosts) return;
  double mean = 0, variance = 0;
  for (const auto& [monitor, rate] : rates) mean += rate / static_cast<double>(rates.size());
  for (const auto& [monitor, rate] : rates) {
    variance += (rate - mean) * (rate - mean) / static_cast<double>(rates.size());
  }
  const double floor = mean - std::sqrt(variance) * (config_.success_rate_stdev_factor / 1000.0);
  const Kind kind{
      bucket == 0 ? config_.enforcing_success_rate : config_.enforcing_local_origin_success_rate,
      stats_.ejections_detected_success_rate, stats_.ejections_enforced_success_rate};
  for (auto& [monitor, rate] : rates) {
    if (rate < floor && !monitor->ejected) eject(*monitor, kind, now);
  }
}

void OutlierDetector::check_failure_percentage(size_t bucket, net::TimePoint now) {
  std::vector<std::pair<Monitor*, double>> failures;
  for (const Sample& sample : samples_[bucket]) {
    if (sample.requests == 0 || sample.requests < config_.failure_percentage_request_volume)
      continue;
    failures.emplace_back(sample.monitor, 100.0 - 100.0 * sample.successes / sample.requests);
  }
  if (failures.size() < config_.failure_percentage_minimum_hosts) return;
  const Kind kind{bucket == 0 ? config_.enforcing_failure_percentage
                              : config_.enforcing_failure_percentage_local_origin,
                  stats_.ejections_detected_failure_percentage,
                  stats_.ejections_enforced_failure_percentage};
  for (auto& [monitor, percent] : failures) {
    if (percent >= config_.failure_percentage_threshold && !monitor->ejected) {
      eject(*monitor, kind, now);
    }
  }
}

void OutlierDetector::on_interval(net::TimePoint now) {
  for (auto& samples : samples_) samples.clear();
  for (auto& [key, monitor] : monitors_) {
    check_return(monitor, now);
    for (size_t bucket = 0; bucket < 2; ++bucket) {
      OutlierCounters& counters = monitor.host->outlier;
      samples_[bucket].push_back(
          {&monitor, counters.requests[bucket].exchange(0, std::memory_order_relaxed),
           counters.successes[bucket].exchange(0, std::memory_order_relaxed)});
    }
  }
  for (size_t bucket = 0; bucket < (config_.split_local_origin ? 2u : 1u); ++bucket) {
    check_success_rate(bucket, now);
    check_failure_percentage(bucket, now);
  }
  if (std::exchange(dirty_, false)) changed_();
}

}  // namespace sennit::proxy

// Who calls whom: the mesh's traffic as edges between workloads, made from what every proxy counts
// (istio_requests_total and istio_request_duration_milliseconds, both reporters), and the
// difference between two readings as rates.
#pragma once

#include <chrono>
#include <compare>
#include <map>
#include <string>
#include <vector>

#include "cli/traffic/metrics.h"

namespace sennit::cli {

struct EdgeName {
  std::string source, destination;
  auto operator<=>(const EdgeName&) const = default;
};

// Running totals of one edge as one reporter has them.
struct EdgeCounts {
  double requests = 0, failures = 0;  // failures: 5xx, and no response at all (0)
  double mutual_tls = 0, plaintext = 0;
  std::map<double, double> buckets;  // upper bound in ms → cumulative count
};

struct TrafficReading {
  std::chrono::steady_clock::time_point taken;
  std::map<EdgeName, EdgeCounts> by_source, by_destination;

  void add(const std::vector<MetricSample>& samples);
};

// One row of the table.
struct EdgeRate {
  EdgeName name;
  double per_second = 0, success = 1;  // success: 0 to 1
  double p50 = 0, p99 = 0;             // ms
  enum class Security { Unknown, MutualTls, Plaintext, Mixed } security = Security::Unknown;
};

// Edges with traffic between the two readings, by source, then destination. Where both ends
// report, the caller's view counts (it saw what the network did too), the callee's says whether it
// was encrypted.
std::vector<EdgeRate> rates_between(const TrafficReading& before, const TrafficReading& after);

// Interpolates within cumulative buckets, as Prometheus' histogram_quantile does; 0 without
// samples.
double quantile(const std::map<double, double>& buckets, double part);

}  // namespace sennit::cli

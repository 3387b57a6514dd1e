#include "cli/traffic/edges.h"

#include <limits>

namespace sennit::cli {
namespace {

constexpr std::string_view kRequests = "istio_requests_total";
constexpr std::string_view kBuckets = "istio_request_duration_milliseconds_bucket";

const std::string& label(const MetricSample& sample, const std::string& name) {
  static const std::string kUnknown = "unknown";
  auto found = sample.labels.find(name);
  return found == sample.labels.end() ? kUnknown : found->second;
}

// A destination outside the mesh has no workload: its service stands for it.
EdgeName edge_of(const MetricSample& sample) {
  EdgeName name{label(sample, "source_workload"), label(sample, "destination_workload")};
  if (name.destination == "unknown") name.destination = label(sample, "destination_service_name");
  return name;
}

EdgeCounts difference(const EdgeCounts& after, const EdgeCounts* before) {
  EdgeCounts result = after;
  // A proxy that started again counts from zero: then the newer reading is the difference.
  if (!before || before->requests > after.requests) return result;
  result.requests -= before->requests;
  result.failures -= before->failures;
  result.mutual_tls -= before->mutual_tls;
  result.plaintext -= before->plaintext;
  for (auto& [bound, count] : result.buckets) {
    auto old = before->buckets.find(bound);
    if (old != before->buckets.end()) count -= old->second;
  }
  return result;
}

template <typename Map>
const EdgeCounts* lookup(const Map& map, const EdgeName& name) {
  auto found = map.find(name);
  return found == map.end() ? nullptr : &found->second;
}

EdgeRate::Security security_of(const EdgeCounts& counts) {
  if (counts.mutual_tls > 0 && counts.plaintext > 0) return EdgeRate::Security::Mixed;
  if (counts.mutual_tls > 0) return EdgeRate::Security::MutualTls;
  if (counts.plaintext > 0) return EdgeRate::Security::Plaintext;
  return EdgeRate::Security::Unknown;
}

}  // namespace

void TrafficReading::add(const std::vector<MetricSample>& samples) {
  for (const MetricSample& sample : samples) {
    auto& side = label(sample, "reporter") == "source" ? by_source : by_destination;
    EdgeCounts& counts = side[edge_of(sample)];
    if (sample.name == kRequests) {
      counts.requests += sample.value;
      const std::string& code = label(sample, "response_code");
      if (code.starts_with('5') || code == "0") counts.failures += sample.value;
      const std::string& policy = label(sample, "connection_security_policy");
      if (policy == "mutual_tls") counts.mutual_tls += sample.value;
      if (policy == "none") counts.plaintext += sample.value;
    } else if (sample.name == kBuckets) {
      const std::string& bound = label(sample, "le");
      counts
          .buckets[bound == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(bound)] +=
          sample.value;
    }
  }
}

double quantile(const std::map<double, double>& buckets, double part) {
  if (buckets.empty() || buckets.rbegin()->second <= 0) return 0;
  const double rank = part * buckets.rbegin()->second;
  double lower = 0, below = 0;
  for (const auto& [upper, count] : buckets) {
    if (count >= rank) {
      if (upper == std::numeric_limits<double>::infinity() || count == below) return lower;
      return lower + (upper - lower) * (rank - below) / (count - below);
    }
    lower = upper;
    below = count;
  }
  return lower;
}

std::vector<EdgeRate> rates_between(const TrafficReading& before, const TrafficReading& after) {
  const double seconds = std::chrono::duration<double>(after.taken - before.taken).count();
  std::map<EdgeName, bool> names;
  for (const auto* side : {&after.by_source, &after.by_destination})
    for (const auto& [name, counts] : *side) names[name] = true;

  std::vector<EdgeRate> rates;
  for (const auto& [name, unused] : names) {
    const EdgeCounts* source = lookup(after.by_source, name);
    const EdgeCounts* destination = lookup(after.by_destination, name);
    EdgeCounts callee =
        destination ? difference(*destination, lookup(before.by_destination, name)) : EdgeCounts();
    EdgeCounts seen = source ? difference(*source, lookup(before.by_source, name)) : callee;
    if (seen.requests <= 0 || seconds <= 0) continue;
    EdgeRate rate{name};
    rate.per_second = seen.requests / seconds;
    rate.success = 1 - seen.failures / seen.requests;
    rate.p50 = quantile(seen.buckets, 0.5);
    rate.p99 = quantile(seen.buckets, 0.99);
    rate.security = security_of(destination ? callee : seen);
    rates.push_back(rate);
  }
  return rates;
}

}  // namespace sennit::cli

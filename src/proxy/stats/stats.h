// Counters, gauges and histograms without atomics shared between workers: the registry (main
// thread) gives each metric a dense id when configuration is built; each worker has a shard, an
// array indexed by id that only it writes; readers sum the shards. Nothing is looked up by name on
// a request's path.
//
// Names are Envoy's (`cluster.outbound|80||a.default.svc.cluster.local.upstream_rq_total`), and
// each metric also carries its Prometheus family and labels (`envoy_cluster_upstream_rq_total`,
// `cluster_name="..."`), or only those (`istio_requests_total{...}`).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sennit::stats {

enum class Kind : uint8_t { Counter, Gauge, Histogram };
struct MetricId {
  uint32_t index = 0;  // 0: a metric that nobody reads; bumping it is harmless
};
struct CounterId : MetricId {};
struct GaugeId : MetricId {};
struct HistogramId : MetricId {};

using Labels = std::vector<std::pair<std::string, std::string>>;

// One of `name` and `family` may be empty: a name is then made of the family and the labels' values
// ("istio_requests_total.reporter.source"), a family of the name ("envoy_server_live").
struct MetricKey {
  std::string name;    // Envoy's dotted name for /stats; empty: derived from family and labels
  std::string family;  // Prometheus family without suffix, e.g. "envoy_cluster_upstream_rq_total"
  Labels labels;
};

// Upper bounds of the exported histogram buckets, in the unit that was recorded (ms for times):
// Envoy's defaults, which Istio keeps.
std::span<const double> default_buckets();

class Registry;

// One worker's numbers. Written by one thread, read by any.
class Shard {
 public:
  ~Shard();
  void inc(CounterId id, uint64_t by = 1) { add(id.index, by); }
  void add(GaugeId id, int64_t by) { add(id.index, static_cast<uint64_t>(by)); }
  // The gauge is `value` as far as this shard goes: for gauges that only one thread has a say in.
  void set(GaugeId id, uint64_t value);
  void record(HistogramId id, uint64_t value);

 private:
  friend class Registry;
  static constexpr uint32_t kChunkBits = 10, kChunkSize = 1u << kChunkBits, kMaxChunks = 4096;
  using Cell = std::atomic<uint64_t>;

  Shard();
  void add(uint32_t index, uint64_t by) {
    Cell& cell = chunk(index)[index & (kChunkSize - 1)];
    cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  Cell* chunk(uint32_t index) {
    Cell* cells = chunks_[index >> kChunkBits].load(std::memory_order_relaxed);
    return cells ? cells : grow(index >> kChunkBits);
  }
  Cell* grow(uint32_t chunk_index);
  uint64_t value(uint32_t index) const;  // any thread

  std::unique_ptr<std::atomic<Cell*>[]> chunks_;
};

struct Sample {
  const MetricKey* key;  // name and family are both there; lives as long as the registry
  Kind kind;
  uint64_t value = 0;             // counter; gauge as int64
  std::vector<uint64_t> buckets;  // histogram: not cumulative, one more than the bounds
  double sum = 0;

  uint64_t count() const;  // histogram: how many values were recorded
  // Ever counted. A gauge that is back at zero looks unused, unlike Envoy's.
  bool used() const { return kind == Kind::Histogram ? count() != 0 : value != 0; }
};

// Thread-safe. Asking twice for one key gives the same id, so a configuration that comes again
// goes on counting where it was. Metrics are not removed while the process lives. Beyond four
// million cells new metrics get the id that nobody reads.
class Registry {
 public:
  Registry();
  ~Registry();

  CounterId counter(const MetricKey& key);
  GaugeId gauge(const MetricKey& key);
  HistogramId histogram(const MetricKey& key);

  // A shard for the calling worker; owned by the registry, valid for its lifetime.
  Shard& new_shard();

  // All metrics with their values summed over the shards, ordered by name.
  std::vector<Sample> collect() const;
  uint64_t counter_value(std::string_view name) const;  // for tests; 0 where absent
  // Counters and histograms count from zero again, as far as readers see (POST /reset_counters).
  void reset_counters();

  // The three outputs. `filter` is an RE2 expression searched for in the name; empty: everything.
  // One that does not compile matches nothing: check_filter says why.
  static Status check_filter(std::string_view filter);
  std::string text(std::string_view filter, bool used_only) const;        // Envoy's /stats
  std::string json(std::string_view filter, bool used_only) const;        // /stats?format=json
  std::string prometheus(std::string_view filter, bool used_only) const;  // /stats/prometheus

 private:
  struct Impl;
  uint32_t find_or_add(const MetricKey& key, Kind kind);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sennit::stats

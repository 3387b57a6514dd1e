#include "proxy/stats/stats.h"

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_map>

namespace sennit::stats {
namespace {

constexpr std::array<double, 19> kBuckets = {0.5,   1,      5,      10,      25,     50,    100,
                                             250,   500,    1000,   2500,    5000,   10000, 30000,
                                             60000, 300000, 600000, 1800000, 3600000};
// A histogram is a row of cells: one per bucket, one for what is beyond the last, and the sum.
constexpr uint32_t kBucketCells = kBuckets.size() + 1;
constexpr uint32_t kHistogramCells = kBucketCells + 1;

uint32_t cells_of(Kind kind) {
  return kind == Kind::Histogram ? kHistogramCells : 1;
}

size_t bucket_of(uint64_t value) {
  return std::lower_bound(kBuckets.begin(), kBuckets.end(), static_cast<double>(value)) -
         kBuckets.begin();
}

std::string derived_name(const MetricKey& key) {
  std::string name = key.family;
  for (const auto& [label, value] : key.labels) {
    name += '.';
    name += label;
    name += '.';
    name += value;
  }
  return name;
}

std::string derived_family(const MetricKey& key) {
  std::string family = "envoy_" + key.name;
  for (char& c : family) {
    const bool valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!valid) c = '_';
  }
  return family;
}

}  // namespace

std::span<const double> default_buckets() {
  return kBuckets;
}

uint64_t Sample::count() const {
  uint64_t total = 0;
  for (uint64_t bucket : buckets) total += bucket;
  return total;
}

Shard::Shard() : chunks_(std::make_unique<std::atomic<Cell*>[]>(kMaxChunks)) {}

Shard::~Shard() {
  for (uint32_t i = 0; i < kMaxChunks; ++i) delete[] chunks_[i].load(std::memory_order_relaxed);
}

Shard::Cell* Shard::grow(uint32_t chunk_index) {
  auto* cells = new Cell[kChunkSize]();
  // Readers on other threads must see the zeros before they see the chunk.
  chunks_[chunk_index].store(cells, std::memory_order_release);
  return cells;
}

uint64_t Shard::value(uint32_t index) const {
  const Cell* cells = chunks_[index >> kChunkBits].load(std::memory_order_acquire);
  return cells ? cells[index & (kChunkSize - 1)].load(std::memory_order_relaxed) : 0;
}

void Shard::set(GaugeId id, uint64_t value) {
  chunk(id.index)[id.index & (kChunkSize - 1)].store(value, std::memory_order_relaxed);
}

void Shard::record(HistogramId id, uint64_t value) {
  add(id.index + bucket_of(value), 1);
  add(id.index + kBucketCells, value);
}

struct Registry::Impl {
  struct Metric {
    MetricKey key;
    Kind kind;
    uint32_t index;
    std::vector<uint64_t> baseline;  // cells at the last reset_counters; empty: never
  };

  uint64_t cell(const Metric& metric, uint32_t offset) const {
    uint64_t sum = 0;
    for (const auto& shard : shards) sum += shard->value(metric.index + offset);
    return metric.baseline.empty() ? sum : sum - metric.baseline[offset];
  }
  Sample sample(const Metric& metric) const {
    Sample sample{&metric.key, metric.kind};
    if (metric.kind != Kind::Histogram) {
      sample.value = cell(metric, 0);
      return sample;
    }
    sample.buckets.resize(kBucketCells);
    for (uint32_t i = 0; i < kBucketCells; ++i) sample.buckets[i] = cell(metric, i);
    sample.sum = static_cast<double>(cell(metric, kBucketCells));
    return sample;
  }

  mutable std::mutex mutex;
  std::deque<Metric> metrics;  // addresses stay: samples point to the keys
  std::unordered_map<std::string_view, const Metric*> by_name;
  std::deque<std::unique_ptr<Shard>> shards;
  // The cells before it belong to the id 0 of any kind.
  uint32_t next_index = kHistogramCells;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

uint32_t Registry::find_or_add(const MetricKey& key, Kind kind) {
  MetricKey full = key;
  if (full.name.empty()) full.name = derived_name(key);
  if (full.family.empty()) full.family = derived_family(key);
  std::scoped_lock lock(impl_->mutex);
  const auto found = impl_->by_name.find(full.name);
  if (found != impl_->by_name.end()) {
    return found->second->kind == kind ? found->second->index : 0;
  }
  const uint32_t index = impl_->next_index;
  if (index + cells_of(kind) > Shard::kMaxChunks * Shard::kChunkSize) return 0;
  impl_->next_index += cells_of(kind);
  const auto& metric = impl_->metrics.emplace_back(std::move(full), kind, index);
  impl_->by_name.emplace(metric.key.name, &metric);
  return index;
}

CounterId Registry::counter(const MetricKey& key) {
  return {find_or_add(key, Kind::Counter)};
}
GaugeId Registry::gauge(const MetricKey& key) {
  return {find_or_add(key, Kind::Gauge)};
}
HistogramId Registry::histogram(const MetricKey& key) {
  return {find_or_add(key, Kind::Histogram)};
}

Shard& Registry::new_shard() {
  std::unique_ptr<Shard> shard(new Shard());
  std::scoped_lock lock(impl_->mutex);
  return *impl_->shards.emplace_back(std::move(shard));
}

std::vector<Sample> Registry::collect() const {
  std::vector<Sample> samples;
  {
    std::scoped_lock lock(impl_->mutex);
    samples.reserve(impl_->metrics.size());
    for (const auto& metric : impl_->metrics) samples.push_back(impl_->sample(metric));
  }
  std::ranges::sort(samples, {}, [](const Sample& s) -> std::string_view { return s.key->name; });
  return samples;
}

uint64_t Registry::counter_value(std::string_view name) const {
  std::scoped_lock lock(impl_->mutex);
  const auto found = impl_->by_name.find(name);
  return found == impl_->by_name.end() ? 0 : impl_->cell(*found->second, 0);
}

void Registry::reset_counters() {
  std::scoped_lock lock(impl_->mutex);
  for (auto& metric : impl_->metrics) {
    if (metric.kind == Kind::Gauge) continue;
    metric.baseline.clear();
    std::vector<uint64_t> baseline(cells_of(metric.kind));
    for (uint32_t i = 0; i < baseline.size(); ++i) baseline[i] = impl_->cell(metric, i);
    metric.baseline = std::move(baseline);
  }
}

}  // namespace sennit::stats

#include "proxy/upstream/lb_tables.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sennit::proxy {
namespace {

std::vector<double> normalized(const std::vector<double>& weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<double> result(weights);
  for (double& weight : result) weight /= sum;
  return result;
}

}  // namespace

uint64_t xx_hash64(std::string_view text, uint64_t seed) {
  return XXH64(text.data(), text.size(), seed);
}

std::vector<RingEntry> build_ring(const std::vector<std::string>& keys,
                                  const std::vector<double>& weights, uint64_t minimum_size,
                                  uint64_t maximum_size) {
  std::vector<RingEntry> ring;
  if (keys.empty()) return ring;
  const std::vector<double> shares = normalized(weights);
  const double smallest = *std::min_element(shares.begin(), shares.end());
  const double scale = std::min(std::ceil(smallest * static_cast<double>(minimum_size)) / smallest,
                                static_cast<double>(maximum_size));
  ring.reserve(static_cast<size_t>(std::ceil(scale)));
  double current = 0, target = 0;
  std::string name;
  for (size_t host = 0; host < keys.size(); ++host) {
    target += scale * shares[host];
    name = keys[host] + "_";
    const size_t stem = name.size();
    for (uint64_t i = 0; current < target; ++i, ++current) {
      char digits[20];
      const auto end = std::to_chars(digits, digits + sizeof digits, i).ptr;
      name.resize(stem);
      name.append(digits, end);
      ring.push_back({xx_hash64(name, 0), static_cast<uint32_t>(host)});
    }
  }
  std::sort(ring.begin(), ring.end());
  return ring;
}

std::vector<uint32_t> build_maglev(const std::vector<std::string>& keys,
                                   const std::vector<double>& weights, uint64_t size) {
  if (keys.empty()) return {};
  constexpr uint32_t kFree = ~0u;
  struct Entry {
    uint64_t offset, skip, next = 0;
    double weight, target = 0;
  };
  const double largest = *std::max_element(weights.begin(), weights.end());
  std::vector<Entry> entries;
  for (size_t i = 0; i < keys.size(); ++i) {
    entries.push_back(
        {xx_hash64(keys[i], 0) % size, xx_hash64(keys[i], 1) % (size - 1) + 1, 0, weights[i]});
  }
  std::vector<uint32_t> table(size, kFree);
  uint64_t filled = 0;
  for (uint64_t round = 1; filled < size; ++round) {
    for (size_t i = 0; i < entries.size() && filled < size; ++i) {
      Entry& entry = entries[i];
      // A host takes its turn as often as its weight is of the largest.
      if (static_cast<double>(round) * entry.weight < entry.target) continue;
      entry.target += largest;
      uint64_t cell;
      do {
        cell = (entry.offset + entry.skip * entry.next++) % size;
      } while (table[cell] != kFree);
      table[cell] = static_cast<uint32_t>(i);
      ++filled;
    }
  }
  return table;
}

AliasTable::AliasTable(const std::vector<double>& weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (weights.empty() || sum <= 0) return;
  const auto count = weights.size();
  std::vector<double> scaled(count);
  std::vector<uint32_t> small, large;
  for (uint32_t i = 0; i < count; ++i) {
    scaled[i] = weights[i] * static_cast<double>(count) / sum;
    (scaled[i] < 1 ? small : large).push_back(i);
  }
  cells_.resize(count);
  while (!small.empty() && !large.empty()) {
    const uint32_t low = small.back(), high = large.back();
    small.pop_back();
    cells_[low] = {static_cast<uint32_t>(scaled[low] * 4294967295.0), high};
    scaled[high] -= 1 - scaled[low];
    if (scaled[high] < 1) {
      large.pop_back();
      small.push_back(high);
    }
  }
  for (const auto& rest : {small, large}) {
    for (uint32_t i : rest) cells_[i] = {~0u, i};
  }
}

size_t AliasTable::draw(uint64_t random) const {
  const auto index = static_cast<size_t>(((random >> 32) * cells_.size()) >> 32);
  const Cell& cell = cells_[index];
  return static_cast<uint32_t>(random) <= cell.threshold ? index : cell.other;
}

const HostPtr* HostList::by_hash(uint64_t hash) const {
  if (!maglev.empty()) return &hosts[maglev[hash % maglev.size()]];
  if (ring.empty()) return nullptr;
  auto found = std::lower_bound(ring.begin(), ring.end(), hash,
                                [](const RingEntry& e, uint64_t value) { return e.hash < value; });
  if (found == ring.end()) found = ring.begin();
  return &hosts[found->host];
}

}  // namespace sennit::proxy

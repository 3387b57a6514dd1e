// Virtual hosts by domain, in Envoy's order: exact, longest "*.suffix", longest "prefix.*", "*".
// Comparison ignores case. O(1) per candidate length; no allocation unless the host has capitals.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

namespace sennit::proxy {

class Domains {
 public:
  static constexpr size_t kNone = SIZE_MAX;

  // A domain may be given once only.
  Status add(std::string_view domain, size_t virtual_host);
  // The virtual host's number, or kNone. `host` is an authority; with `ignore_port` its port does
  // not count.
  size_t find(std::string_view host, bool ignore_port) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Index = std::unordered_map<std::string, size_t, Hash, std::equal_to<>>;
  using ByLength = std::map<size_t, Index, std::greater<>>;  // longest first

  size_t find_lower(std::string_view host) const;

  Index exact_;
  ByLength suffixes_, prefixes_;  // without the '*'
  size_t any_ = kNone;
};

}  // namespace sennit::proxy

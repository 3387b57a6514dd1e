#include "proxy/route/domains.h"

#include <algorithm>

#include "proxy/match/string_matcher.h"
#include "proxy/route/path.h"

namespace sennit::proxy {

Status Domains::add(std::string_view domain, size_t virtual_host) {
  const std::string lower = to_lower(domain);
  bool inserted = false;
  if (lower == "*") {
    inserted = any_ == kNone;
    any_ = virtual_host;
  } else if (lower.starts_with('*')) {
    const std::string suffix = lower.substr(1);
    inserted = suffixes_[suffix.size()].emplace(suffix, virtual_host).second;
  } else if (lower.ends_with('*')) {
    const std::string prefix = lower.substr(0, lower.size() - 1);
    inserted = prefixes_[prefix.size()].emplace(prefix, virtual_host).second;
  } else {
    inserted = exact_.emplace(lower, virtual_host).second;
  }
  if (!inserted) return fail("\"{}\" is already the domain of another virtual host", domain);
  return {};
}

size_t Domains::find_lower(std::string_view host) const {
  if (const auto found = exact_.find(host); found != exact_.end()) return found->second;
  for (const auto& [length, index] : suffixes_) {
    if (length >= host.size()) continue;
    const auto found = index.find(host.substr(host.size() - length));
    if (found != index.end()) return found->second;
  }
  for (const auto& [length, index] : prefixes_) {
    if (length >= host.size()) continue;
    const auto found = index.find(host.substr(0, length));
    if (found != index.end()) return found->second;
  }
  return any_;
}

size_t Domains::find(std::string_view host, bool ignore_port) const {
  if (ignore_port) host = host.substr(0, std::min(port_start(host), host.size()));
  const bool has_capitals = std::ranges::any_of(host, [](char c) { return c >= 'A' && c <= 'Z'; });
  return has_capitals ? find_lower(to_lower(host)) : find_lower(host);
}

}  // namespace sennit::proxy

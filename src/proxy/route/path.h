// Small cuts of a request's target.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

namespace sennit::proxy {

struct PathParts {
  std::string_view path;   // what routes match on: no query, no fragment
  std::string_view query;  // from its '?' (or '#') on; empty if there is none
};

inline PathParts split_path(std::string_view full) {
  const size_t end = full.find_first_of("?#");
  if (end == std::string_view::npos) return {full, {}};
  return {full.substr(0, end), full.substr(end)};
}

// Where ":80" begins in "host:80" or "[::1]:80"; npos if there is no port.
inline size_t port_start(std::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == host.size()) return std::string_view::npos;
  const size_t bracket = host.rfind(']');
  if (bracket != std::string_view::npos && bracket > colon) return std::string_view::npos;
  if (bracket == std::string_view::npos && host.find(':') != colon) return std::string_view::npos;
  for (char c : host.substr(colon + 1)) {
    if (c < '0' || c > '9') return std::string_view::npos;
  }
  return colon;
}

// The first value of a query parameter, undecoded; "" for a bare name.
inline std::optional<std::string_view> query_parameter(std::string_view query,
                                                       std::string_view name) {
  if (query.starts_with('?')) query.remove_prefix(1);
  query = query.substr(0, query.find('#'));
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
  }
  return std::nullopt;
}

}  // namespace sennit::proxy

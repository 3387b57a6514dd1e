#include "mesh/model/hostname.h"

#include <algorithm>

namespace sennit::mesh {

bool hosts_match(std::string_view a, std::string_view b) {
  return host_subset_of(a, b) || host_subset_of(b, a);
}

bool host_subset_of(std::string_view narrow, std::string_view wide) {
  if (narrow == wide || wide == "*") return true;
  if (!wide.starts_with("*")) return false;
  if (narrow.starts_with("*")) narrow.remove_prefix(1);
  return narrow.ends_with(wide.substr(1));
}

std::vector<std::string> intersect_hosts(const std::vector<std::string>& a,
                                         const std::vector<std::string>& b) {
  std::vector<std::string> both;
  auto add = [&](const std::string& host) {
    if (std::ranges::find(both, host) == both.end()) both.push_back(host);
  };
  for (const auto& y : b) {
    for (const auto& x : a) {
      if (host_subset_of(y, x)) {
        add(y);
      } else if (host_subset_of(x, y)) {
        add(x);
      }
    }
  }
  return both;
}

std::string qualify_host(std::string_view host, std::string_view namespace_,
                         std::string_view domain) {
  if (host.empty() || host.find('.') != host.npos || host.starts_with("*") ||
      host.find(':') != host.npos) {
    return std::string(host);
  }
  return std::string(host).append(".").append(namespace_).append(".svc.").append(domain);
}

}  // namespace sennit::mesh

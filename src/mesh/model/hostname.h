// Hostnames as Istio compares them: exact, "*.suffix" and "*".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sennit::mesh {

// Either side may be a wildcard: true when some name is in both.
bool hosts_match(std::string_view a, std::string_view b);
// True when every name of `narrow` is also of `wide`.
bool host_subset_of(std::string_view narrow, std::string_view wide);
// The names in both lists, the narrower of each matching pair, in the order of `b`.
std::vector<std::string> intersect_hosts(const std::vector<std::string>& a,
                                         const std::vector<std::string>& b);
// A name without dots is of its resource's namespace: "reviews" -> "reviews.NS.svc.DOMAIN".
std::string qualify_host(std::string_view host, std::string_view namespace_,
                         std::string_view domain);

}  // namespace sennit::mesh

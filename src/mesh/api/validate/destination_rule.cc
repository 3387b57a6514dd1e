#include "mesh/api/istio/destination_rule.pb.h"

#include <map>

#include "mesh/api/metadata.h"
#include "mesh/api/validate/traffic_policy.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {

void validate_destination_rule(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<istio::v1::DestinationRule>();
  if (spec.host().empty()) {
    checker.error("host", "is missing; name the service that this rule is for");
  } else if (!is_wildcard_domain(spec.host())) {
    checker.error("host", "\"{}\" is no host; write a DNS name or *.DNS", spec.host());
  }
  if (spec.has_traffic_policy())
    check_traffic_policy(checker, "trafficPolicy", spec.traffic_policy());
  std::map<std::string, int> names;
  for (int i = 0; i < spec.subsets_size(); ++i) {
    const auto& subset = spec.subsets(i);
    const std::string field = at("subsets", i);
    if (subset.name().empty()) {
      checker.error(field, "needs a \"name\"");
    } else if (!is_dns_label(subset.name())) {
      checker.error(below(field, "name"), "\"{}\" is no name: lower-case letters, digits and \"-\"",
                    subset.name());
    } else if (const auto [first, fresh] = names.emplace(subset.name(), i); !fresh) {
      checker.error(below(field, "name"), "\"{}\" is the name of subsets[{}], too; rename one",
                    subset.name(), first->second);
    }
    check_labels(checker, below(field, "labels"), subset.labels());
    if (subset.has_traffic_policy())
      check_traffic_policy(checker, below(field, "trafficPolicy"), subset.traffic_policy());
  }
  check_export_to(checker, spec.export_to());
  if (spec.has_workload_selector()) check_selector(checker, spec.workload_selector());
}

}  // namespace sennit::mesh

#include "mesh/api/validate/workload.h"

#include "mesh/api/istio/workload_group.pb.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {

void check_workload(Checker& checker, const std::string& field,
                    const istio::v1::WorkloadEntry& workload, bool needs_address) {
  const std::string& address = workload.address();
  if (address.empty()) {
    if (needs_address && workload.network().empty())
      checker.error(below(field, "address"), "is missing; write an IP address or a DNS name");
  } else if (address.starts_with("unix://")) {
    if (!address.starts_with("unix:///") && !address.starts_with("unix://@"))
      checker.error(below(field, "address"), "\"{}\" must be an absolute path", address);
    if (workload.ports_size() > 0)
      checker.error(below(field, "ports"), "a unix socket has no ports");
  } else if (!is_ip_address(address) && !is_fqdn(address)) {
    checker.error(below(field, "address"), "\"{}\" is no IP address or DNS name", address);
  }
  for (const auto& [name, number] : workload.ports())
    check_port(checker, keyed(below(field, "ports"), name), number);
  check_labels(checker, below(field, "labels"), workload.labels());
}

void validate_workload_entry(const Resource& resource, Checker& checker) {
  check_workload(checker, "", resource.as<istio::v1::WorkloadEntry>(), true);
}

void validate_workload_group(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<istio::v1::WorkloadGroup>();
  if (!spec.has_template_()) checker.error("template", "is missing; it describes the workloads");
  check_labels(checker, "metadata.labels", spec.metadata().labels());
  check_workload(checker, "template", spec.template_(), false);
  if (spec.has_probe() && spec.probe().health_check_method_case() ==
                              istio::v1::ReadinessProbe::HEALTH_CHECK_METHOD_NOT_SET)
    checker.error("probe", "needs \"httpGet\", \"tcpSocket\", \"exec\" or \"grpc\"");
}

}  // namespace sennit::mesh

#include "mesh/api/istio/service.pb.h"

#include <algorithm>
#include <set>

#include "mesh/api/metadata.h"
#include "mesh/api/validate/common.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

void check_service_port(Checker& checker, const std::string& field,
                        const api::Service::ServicePort& port) {
  check_port(checker, below(field, "port"), port.port());
  if (port.target_port().has_number())
    check_port(checker, below(field, "targetPort"),
               static_cast<uint32_t>(port.target_port().number()));
  const std::string& protocol = port.protocol();
  if (!protocol.empty() && protocol != "TCP" && protocol != "UDP" && protocol != "SCTP")
    checker.error(below(field, "protocol"),
                  "\"{}\" must be TCP, UDP or SCTP; what is spoken over "
                  "TCP goes into \"appProtocol\" or the port's name (http-web)",
                  protocol);
  if (!port.name().empty() && !is_dns_label(port.name()))
    checker.error(below(field, "name"), "\"{}\" is no port name", port.name());
}

}  // namespace

void validate_service(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::Service>();
  static constexpr std::string_view kTypes[] = {"", "ClusterIP", "NodePort", "LoadBalancer",
                                                "ExternalName"};
  if (!std::ranges::count(kTypes, spec.type()))
    checker.error("type", "\"{}\" must be ClusterIP, NodePort, LoadBalancer or ExternalName",
                  spec.type());
  if (spec.type() == "ExternalName" && !is_fqdn(spec.external_name()))
    checker.error("externalName", "\"{}\" is no DNS name", spec.external_name());
  if (!spec.cluster_ip().empty() && spec.cluster_ip() != "None" &&
      !is_ip_address(spec.cluster_ip()))
    checker.error("clusterIP", "\"{}\" is no IP address and not None", spec.cluster_ip());
  const bool headless = spec.cluster_ip() == "None";
  if (spec.ports_size() == 0 && !headless && spec.type() != "ExternalName")
    checker.error("ports", "is missing; a Service needs a port");
  std::set<std::string> names;
  for (int i = 0; i < spec.ports_size(); ++i) {
    const std::string field = at("ports", i);
    const auto& port = spec.ports(i);
    check_service_port(checker, field, port);
    if (port.name().empty() && spec.ports_size() > 1)
      checker.error(field, "needs a \"name\", since there are several ports");
    if (!port.name().empty() && !names.insert(port.name()).second)
      checker.error(below(field, "name"), "\"{}\" is another port's name, too", port.name());
  }
  check_labels(checker, "selector", spec.selector());
}

}  // namespace sennit::mesh

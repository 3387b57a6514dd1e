// Self-registration: the WorkloadEntry of a proxy that names a WorkloadGroup.
#include <fmt/format.h>

#include <algorithm>

#include "mesh/api/istio/workload_entry.pb.h"
#include "mesh/api/istio/workload_group.pb.h"
#include "mesh/model/mesh.h"
#include "mesh/model/registry.h"

namespace sennit::mesh {

Result<ResourcePtr> workload_entry_from_group(const Resource& group, const Proxy& proxy) {
  if (proxy.ip.empty()) return fail("proxy {} names no address to register with", proxy.id);
  const auto& spec = group.as<api::WorkloadGroup>();
  auto entry = std::make_shared<Resource>();
  entry->api_version = "networking.istio.io/v1";
  entry->kind = "WorkloadEntry";
  entry->namespace_ = group.namespace_;
  // An IPv6 address has colons, which names may not have.
  entry->name = group.name + "-" + proxy.ip;
  std::ranges::replace(entry->name, ':', '-');
  if (!proxy.inbound_ports.empty()) {
    // Several workloads may share one address: the first mesh-facing port tells them apart.
    entry->name += "-" + std::to_string(proxy.inbound_ports.begin()->second);
  }
  entry->labels.insert(spec.metadata().labels().begin(), spec.metadata().labels().end());
  entry->annotations.insert(spec.metadata().annotations().begin(),
                            spec.metadata().annotations().end());
  entry->annotations["istio.io/autoRegistrationGroup"] = group.name;
  std::string application_ports;
  for (const auto& [name, port] : proxy.app_ports) {
    if (!application_ports.empty()) application_ports += ',';
    application_ports += fmt::format("{}={}", name, port);
  }
  if (!application_ports.empty()) {
    entry->annotations[kApplicationPortsAnnotation] = application_ports;
  }
  entry->creation_time = group.creation_time;
  entry->origin = group.origin;
  auto made = std::make_shared<api::WorkloadEntry>(spec.template_());
  made->set_address(proxy.ip);
  for (const auto& [key, value] : entry->labels) made->mutable_labels()->insert({key, value});
  for (const auto& [key, value] : proxy.labels) (*made->mutable_labels())[key] = value;
  for (const auto& [name, port] : proxy.inbound_ports) (*made->mutable_ports())[name] = port;
  if (made->service_account().empty()) made->set_service_account(proxy.service_account);
  if (made->locality().empty() && !proxy.region.empty()) {
    made->set_locality(proxy.region + "/" + proxy.zone + "/" + proxy.sub_zone);
  }
  entry->spec = std::move(made);
  return entry;
}

}  // namespace sennit::mesh

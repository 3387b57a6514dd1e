#include "mesh/translate/endpoints.h"

#include <fmt/format.h>

#include <algorithm>

#include "mesh/translate/traffic_policy.h"

namespace sennit::mesh {

namespace {

namespace endpoint_v3 = envoy::config::endpoint::v3;

endpoint_v3::LbEndpoint make_endpoint(const Mesh& mesh, const Workload& workload,
                                      const ServicePort& port) {
  endpoint_v3::LbEndpoint out;
  uint32_t number = workload.port_of(port);
  *out.mutable_endpoint()->mutable_address() = socket_address(workload.address, number);
  out.mutable_load_balancing_weight()->set_value(workload.weight);
  auto& metadata = *out.mutable_metadata()->mutable_filter_metadata();
  // The server's sidecar decides by the application's port, so it is what counts here too.
  uint32_t own = workload.application_port_of(port);
  bool mutual = workload.mutual_tls &&
                mesh.mutual_tls(workload.namespace_, workload.labels, own) != MutualTls::Disable;
  if (mutual) {
    (*metadata["envoy.transport_socket_match"].mutable_fields())["tlsMode"] = string_value("istio");
  }
  (*metadata["istio"].mutable_fields())["workload"] = string_value(
      fmt::format("{};{};{};{};{}", workload.name, workload.namespace_, workload.canonical_name(),
                  workload.canonical_revision(), mesh.identity().cluster_id));
  return out;
}

Labels subset_labels(const DestinationRuleEntry* rule, const std::string& subset) {
  if (rule == nullptr || subset.empty()) return {};
  for (const auto& one : rule->spec.subsets()) {
    if (one.name() == subset) return {one.labels().begin(), one.labels().end()};
  }
  return {};
}

bool has_subset(const DestinationRuleEntry* rule, const std::string& subset) {
  return subset.empty() ||
         (rule != nullptr && std::ranges::any_of(rule->spec.subsets(), [&](const auto& one) {
            return one.name() == subset;
          }));
}

}  // namespace

endpoint_v3::ClusterLoadAssignment make_load_assignment(
    const Mesh& mesh, const Proxy& proxy, const Service& service, const ServicePort& port,
    const DestinationRuleEntry* rule, const std::string& subset, const api::TrafficPolicy& policy) {
  endpoint_v3::ClusterLoadAssignment out;
  out.set_cluster_name(outbound_cluster(port.number, subset, service.hostname));
  Labels wanted = subset_labels(rule, subset);
  const auto* setting = locality_setting(mesh, policy);
  bool by_labels = setting != nullptr && policy.has_outlier_detection() &&
                   setting->distribute().empty() && !setting->failover_priority().empty();
  std::map<std::pair<uint32_t, Locality>, std::vector<const Workload*>> groups;
  for (const auto& workload : *mesh.workloads(service)) {
    if (!selects(wanted, workload->labels)) continue;
    uint32_t priority = by_labels ? label_priority(proxy, *setting, *workload) : 0;
    groups[{priority, workload->locality}].push_back(workload.get());
  }
  for (const auto& [key, workloads] : groups) {
    const auto& [priority, locality] = key;
    auto* group = out.add_endpoints();
    group->mutable_locality()->set_region(locality.region);
    group->mutable_locality()->set_zone(locality.zone);
    group->mutable_locality()->set_sub_zone(locality.sub_zone);
    group->set_priority(priority);
    uint32_t weight = 0;
    for (const Workload* workload : workloads) {
      *group->add_lb_endpoints() = make_endpoint(mesh, *workload, port);
      weight += workload->weight;
    }
    group->mutable_load_balancing_weight()->set_value(weight);
  }
  if (by_labels) {
    close_priority_gaps(out);
  } else if (setting != nullptr) {
    apply_locality(proxy, *setting, policy.has_outlier_detection(), out);
  }
  return out;
}

XdsResource translate_endpoints(const Mesh& mesh, const Proxy& proxy,
                                std::string_view cluster_name) {
  std::string name(cluster_name);
  OutboundName parts;
  if (!parse_outbound_cluster(cluster_name, parts)) return {name, nullptr, 0};
  ServicePtr service;
  for (const auto& candidate : mesh.scope(proxy)->services) {
    if (candidate->hostname == parts.host) service = candidate;
  }
  if (!service) return {name, nullptr, 0};
  const ServicePort* port = service->port(parts.port);
  if (port == nullptr || service->resolution != Resolution::Static) return {name, nullptr, 0};
  auto rule = mesh.destination_rule(*service, proxy.namespace_, proxy.labels);
  if (!has_subset(rule.get(), parts.subset)) return {name, nullptr, 0};
  api::TrafficPolicy policy = effective_policy(rule.get(), parts.subset, parts.port);
  return make_resource(
      name, make_load_assignment(mesh, proxy, *service, *port, rule.get(), parts.subset, policy));
}

}  // namespace sennit::mesh

#include "mesh/model/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "mesh/api/istio/service.pb.h"
#include "mesh/api/istio/service_entry.pb.h"
#include "mesh/api/istio/workload_entry.pb.h"

namespace sennit::mesh {

namespace {

constexpr std::string_view kTlsModeLabel = "security.istio.io/tlsMode";
// Third and fourth byte of an automatic address: 1 to 254 each, so that none ends in 0 or 255.
constexpr uint32_t kBytesInUse = 254;

uint32_t fnv1a(std::string_view text) {
  uint32_t hash = 2166136261u;
  for (unsigned char c : text) hash = (hash ^ c) * 16777619u;
  return hash;
}

Resolution resolution_of(api::ServiceEntry::Resolution written) {
  switch (written) {
    case api::ServiceEntry::STATIC:
      return Resolution::Static;
    case api::ServiceEntry::DNS:
      return Resolution::Dns;
    case api::ServiceEntry::DNS_ROUND_ROBIN:
      return Resolution::DnsRoundRobin;
    default:
      return Resolution::None;
  }
}

Workload make_workload(const api::WorkloadEntry& entry, const Labels& more_labels) {
  Workload out;
  out.address = entry.address();
  out.ports.insert(entry.ports().begin(), entry.ports().end());
  out.labels = more_labels;
  for (const auto& [key, value] : entry.labels()) out.labels[key] = value;
  std::string locality = entry.locality();
  if (auto found = out.labels.find("istio-locality");
      locality.empty() && found != out.labels.end()) {
    locality = found->second;
    std::ranges::replace(locality, '.', '/');
  }
  out.locality = parse_locality(locality);
  out.weight = entry.weight() == 0 ? 1 : entry.weight();
  out.service_account = entry.service_account();
  out.network = entry.network();
  auto mode = out.labels.find(std::string(kTlsModeLabel));
  out.mutual_tls =
      mode != out.labels.end() ? mode->second == "istio" : !out.service_account.empty();
  return out;
}

// Reads "http=8080,tcp=5500".
std::map<std::string, uint32_t> parse_ports(std::string_view written) {
  std::map<std::string, uint32_t> out;
  while (!written.empty()) {
    std::string_view one = written.substr(0, written.find(','));
    written.remove_prefix(std::min(one.size() + 1, written.size()));
    size_t equals = one.find('=');
    if (equals == one.npos) continue;
    uint32_t port = 0;
    std::from_chars(one.data() + equals + 1, one.data() + one.size(), port);
    if (port != 0) out.emplace(one.substr(0, equals), port);
  }
  return out;
}

std::vector<ServicePtr> of_service_entry(const ResourcePtr& resource) {
  const auto& spec = resource->as<api::ServiceEntry>();
  std::vector<ServicePtr> out;
  for (const auto& host : spec.hosts()) {
    auto service = std::make_shared<Service>();
    service->hostname = host;
    service->namespace_ = resource->namespace_;
    service->name = host;
    for (const auto& port : spec.ports()) {
      service->ports.push_back(
          {port.number(), port.name(), parse_protocol(port.protocol()), port.target_port()});
    }
    service->addresses.assign(spec.addresses().begin(), spec.addresses().end());
    service->resolution = resolution_of(spec.resolution());
    service->external = spec.location() == api::ServiceEntry::MESH_EXTERNAL;
    service->export_to.assign(spec.export_to().begin(), spec.export_to().end());
    service->subject_alt_names.assign(spec.subject_alt_names().begin(),
                                      spec.subject_alt_names().end());
    service->selector.insert(spec.workload_selector().labels().begin(),
                             spec.workload_selector().labels().end());
    service->creation_time = resource->creation_time;
    service->resource = resource;
    out.push_back(std::move(service));
  }
  return out;
}

ServicePtr of_kubernetes(const ResourcePtr& resource, const Mesh::Identity& identity) {
  const auto& spec = resource->as<api::Service>();
  auto service = std::make_shared<Service>();
  service->hostname =
      fmt::format("{}.{}.svc.{}", resource->name, resource->namespace_, identity.domain);
  service->namespace_ = resource->namespace_;
  service->name = resource->name;
  service->kubernetes = true;
  for (const auto& port : spec.ports()) {
    ServicePort made{
        port.port(), port.name(),
        protocol_of_kubernetes_port(port.name(), port.protocol(), port.app_protocol())};
    if (port.target_port().has_number()) made.target_port = port.target_port().number();
    // A target port by name is looked up among the workload's ports by that name.
    if (port.target_port().has_name()) made.name = port.target_port().name();
    service->ports.push_back(std::move(made));
  }
  bool headless = spec.cluster_ip() == "None" || spec.cluster_ip().empty();
  if (!headless) service->addresses.push_back(spec.cluster_ip());
  for (const auto& address : spec.cluster_ips()) {
    if (address != "None" &&
        std::ranges::find(service->addresses, address) == service->addresses.end()) {
      service->addresses.push_back(address);
    }
  }
  if (spec.type() == "ExternalName") service->resolution = Resolution::Dns;
  auto exported = resource->annotations.find("networking.istio.io/exportTo");
  if (exported != resource->annotations.end()) {
    std::string_view rest = exported->second;
    while (!rest.empty()) {
      size_t comma = rest.find(',');
      std::string_view one = rest.substr(0, comma);
      one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
      while (one.ends_with(' ')) one.remove_suffix(1);
      if (!one.empty()) service->export_to.emplace_back(one);
      rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  service->selector.insert(spec.selector().begin(), spec.selector().end());
  service->creation_time = resource->creation_time;
  service->resource = resource;
  return service;
}

}  // namespace

std::vector<ServicePtr> services_of_resource(const ResourcePtr& resource,
                                             const Mesh::Identity& identity) {
  if (resource->kind == "ServiceEntry") return of_service_entry(resource);
  if (resource->kind == "Service") return {of_kubernetes(resource, identity)};
  return {};
}

WorkloadPtr workload_of_entry(const Resource& entry) {
  auto out =
      std::make_shared<Workload>(make_workload(entry.as<api::WorkloadEntry>(), entry.labels));
  out->namespace_ = entry.namespace_;
  out->name = entry.name;
  auto own = entry.annotations.find(kApplicationPortsAnnotation);
  if (own != entry.annotations.end()) out->application_ports = parse_ports(own->second);
  return out;
}

Workloads inline_workloads(const Service& service) {
  Workloads out;
  if (service.resource->kind == "Service") {
    const auto& spec = service.resource->as<api::Service>();
    if (spec.external_name().empty()) return out;
    auto external = std::make_shared<Workload>();
    external->address = spec.external_name();
    external->namespace_ = service.namespace_;
    external->name = service.name;
    out.push_back(std::move(external));
    return out;
  }
  const auto& spec = service.resource->as<api::ServiceEntry>();
  bool dns =
      service.resolution == Resolution::Dns || service.resolution == Resolution::DnsRoundRobin;
  if (spec.endpoints().empty() && service.selector.empty() && dns) {
    auto itself = std::make_shared<Workload>();
    itself->address = service.hostname;
    itself->namespace_ = service.namespace_;
    itself->name = service.resource->name;
    out.push_back(std::move(itself));
    return out;
  }
  for (int i = 0; i < spec.endpoints_size(); ++i) {
    auto made = std::make_shared<Workload>(make_workload(spec.endpoints(i), {}));
    made->namespace_ = service.namespace_;
    made->name = fmt::format("{}-{}", service.resource->name, i);
    out.push_back(std::move(made));
  }
  return out;
}

void allocate_addresses(std::vector<ServicePtr>& services) {
  std::vector<ServicePtr*> wanting;
  for (auto& service : services) {
    if (service->addresses.empty() && !service->has_wildcard_host() &&
        service->resolution != Resolution::None) {
      wanting.push_back(&service);
    }
  }
  std::ranges::sort(wanting, {},
                    [](ServicePtr* s) { return std::tie((*s)->hostname, (*s)->namespace_); });
  constexpr uint32_t kAddresses = kBytesInUse * kBytesInUse;
  std::set<uint32_t> taken;
  for (ServicePtr* service : wanting) {
    if (taken.size() == kAddresses) return;
    uint32_t place = fnv1a(Mesh::key_of(**service)) % kAddresses;
    while (!taken.insert(place).second) place = (place + 1) % kAddresses;
    std::string address =
        fmt::format("240.240.{}.{}", place / kBytesInUse + 1, place % kBytesInUse + 1);
    if ((*service)->auto_address == address) continue;
    auto changed = std::make_shared<Service>(**service);
    changed->auto_address = std::move(address);
    *service = std::move(changed);
  }
}

}  // namespace sennit::mesh

#include "mesh/analyze/inventory.h"

#include <algorithm>

#include "mesh/api/istio/service.pb.h"
#include "mesh/api/istio/service_entry.pb.h"
#include "mesh/api/istio/workload_entry.pb.h"
#include "mesh/api/istio/workload_group.pb.h"
#include "mesh/api/schema.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;
constexpr std::string_view kClusterDomain = "svc.cluster.local";

Labels group_labels(const api::WorkloadGroup& group) {
  Labels labels = to_labels(group.metadata().labels());
  for (const auto& [key, value] : group.template_().labels()) labels.insert({key, value});
  return labels;
}

}  // namespace

bool matches(const Labels& selector, const Labels& labels) {
  return std::ranges::all_of(selector, [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

Inventory::Inventory(const std::vector<ResourcePtr>& resources) {
  // Workloads first: services are made of them.
  for (const ResourcePtr& resource : resources) {
    resources_.emplace(key_of(*resource), resource.get());
    if (resource->kind == "WorkloadEntry") {
      Labels labels = to_labels(resource->as<api::WorkloadEntry>().labels());
      labels.insert(resource->labels.begin(), resource->labels.end());
      workloads_.push_back({resource->namespace_, std::move(labels)});
    } else if (resource->kind == "WorkloadGroup") {
      workloads_.push_back(
          {resource->namespace_, group_labels(resource->as<api::WorkloadGroup>())});
    }
  }
  for (const ResourcePtr& resource : resources) add(resource);
}

void Inventory::add(const ResourcePtr& resource) {
  if (resource->kind == "Service") return add_service(*resource);
  if (resource->kind == "ServiceEntry") return add_service_entry(*resource);
  if (resource->kind != "DestinationRule") return;
  const auto& rule = resource->as<api::DestinationRule>();
  const std::string host = host_in(rule.host(), resource->namespace_);
  rules_.emplace(host, resource.get());
  for (const auto& subset : rule.subsets()) subsets_[host].insert(subset.name());
}

void Inventory::add_service(const Resource& resource) {
  const auto& spec = resource.as<api::Service>();
  KnownService& service = services_[host_in(resource.name, resource.namespace_)];
  for (const auto& port : spec.ports()) service.ports.insert(port.port());
  service.workloads_known = knows_workloads() && !spec.selector().empty();
  for (const KnownWorkload& workload : workloads_)
    if (workload.namespace_ == resource.namespace_ &&
        matches(to_labels(spec.selector()), workload.labels))
      service.workloads.push_back(workload.labels);
}

void Inventory::add_service_entry(const Resource& resource) {
  const auto& spec = resource.as<api::ServiceEntry>();
  KnownService service;
  for (const auto& port : spec.ports()) service.ports.insert(port.number());
  service.workloads_known =
      spec.endpoints_size() > 0 || (spec.has_workload_selector() && knows_workloads());
  for (const auto& endpoint : spec.endpoints()) {
    service.workloads.push_back(to_labels(endpoint.labels()));
  }
  if (spec.has_workload_selector())
    for (const KnownWorkload& workload : workloads_)
      if (workload.namespace_ == resource.namespace_ &&
          matches(to_labels(spec.workload_selector().labels()), workload.labels))
        service.workloads.push_back(workload.labels);
  for (const std::string& host : spec.hosts()) {
    KnownService& known = services_[host];
    known.ports.insert(service.ports.begin(), service.ports.end());
    known.workloads_known = service.workloads_known;
    known.workloads.insert(known.workloads.end(), service.workloads.begin(),
                           service.workloads.end());
  }
}

std::string Inventory::host_in(std::string_view host, std::string_view namespace_) {
  if (host.find('.') != std::string_view::npos || host.starts_with('*')) return std::string(host);
  return std::string(host) + "." + std::string(namespace_) + "." + std::string(kClusterDomain);
}

const KnownService* Inventory::service(const std::string& host) const {
  if (const auto found = services_.find(host); found != services_.end()) return &found->second;
  // "*.example.com" has "a.b.example.com"; and a wildcard asks whether any service is under it.
  for (const auto& [known, service] : services_) {
    if (known.starts_with("*.") && host.ends_with(known.substr(1))) return &service;
    if (host == "*" || (host.starts_with("*.") && known.ends_with(host.substr(1)))) return &service;
  }
  return nullptr;
}

std::string Inventory::nearest_host(const std::string& host) const {
  std::vector<std::string_view> known;
  for (const auto& [name, service] : services_) known.push_back(name);
  const std::string nearest = nearest_word(host, known);
  // Long suffixes are equal by nature: the first labels must be near, too.
  const auto first = [](std::string_view name) { return name.substr(0, name.find('.')); };
  return nearest.empty() || nearest_word(first(host), {first(nearest)}).empty() ? "" : nearest;
}

const std::set<std::string>* Inventory::subsets(const std::string& host) const {
  const auto found = subsets_.find(host);
  return found == subsets_.end() ? nullptr : &found->second;
}

const Resource* Inventory::destination_rule(const std::string& host) const {
  const auto found = rules_.find(host);
  return found == rules_.end() ? nullptr : found->second;
}

const Resource* Inventory::gateway(const std::string& namespaced_name) const {
  const size_t slash = namespaced_name.find('/');
  return find({"Gateway", namespaced_name.substr(0, slash), namespaced_name.substr(slash + 1)});
}

const Resource* Inventory::find(const ResourceKey& key) const {
  const auto found = resources_.find(key);
  return found == resources_.end() ? nullptr : found->second;
}

bool Inventory::selects_any(const Labels& selector, std::string_view namespace_) const {
  if (!knows_workloads()) return true;
  return std::ranges::any_of(workloads_, [&](const KnownWorkload& workload) {
    return (namespace_.empty() || workload.namespace_ == namespace_) &&
           matches(selector, workload.labels);
  });
}

}  // namespace sennit::mesh

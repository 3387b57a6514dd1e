#include "mesh/model/mesh.h"

#include <algorithm>
#include <tuple>

#include "mesh/model/destination_rule.h"
#include "mesh/model/registry.h"
#include "mesh/model/virtual_service.h"

namespace sennit::mesh {

namespace {

// Istio's order: oldest first, then by name and namespace.
bool older(const ResourcePtr& a, const ResourcePtr& b) {
  return std::tie(a->creation_time, a->name, a->namespace_) <
         std::tie(b->creation_time, b->name, b->namespace_);
}

bool older_service(const ServicePtr& a, const ServicePtr& b) {
  return std::tie(a->creation_time, a->hostname, a->namespace_) <
         std::tie(b->creation_time, b->hostname, b->namespace_);
}

// The first and the last of `LOOPBACK_PREFIX.n`: .0 and .255 are taken for network and broadcast by
// some tools, .1 is the HTTP proxy listener's.
constexpr int kFirstLoopback = 2, kLastLoopback = 254;

}  // namespace

Mesh::Mesh() = default;
Mesh::~Mesh() = default;

std::string Mesh::key_of(const Service& service) {
  return service.namespace_ + "/" + service.hostname;
}

// Builds one snapshot, step by step.
class MeshBuilder {
 public:
  MeshBuilder(Mesh& mesh, const Mesh* previous) : mesh_(mesh), previous_(previous) {}

  void read(const std::vector<ResourcePtr>& resources) {
    for (const auto& resource : resources) by_kind_[resource->kind].push_back(resource);
    for (auto& [kind, all] : by_kind_) std::ranges::stable_sort(all, older);
  }

  void services() {
    for (const char* kind : {"ServiceEntry", "Service"}) {
      for (const auto& resource : by_kind_[kind]) {
        std::vector<ServicePtr> made = reuse_services(resource);
        mesh_.services_of_resource_.emplace(resource.get(), made);
        parts_.insert(parts_.end(), made.begin(), made.end());
      }
    }
    std::ranges::stable_sort(parts_, older_service);
    merge_same_host();
    allocate_addresses(mesh_.services_);
    // A service that is as it was keeps its object, address and all.
    if (previous_ != nullptr) {
      for (auto& service : mesh_.services_) keep_previous(service);
    }
    for (const auto& service : mesh_.services_) {
      mesh_.services_by_host_[service->hostname].push_back(service);
    }
  }

  void workloads() {
    for (const auto& entry : by_kind_["WorkloadEntry"]) {
      WorkloadPtr workload;
      if (previous_ != nullptr) {
        auto found = previous_->workload_of_entry_.find(entry.get());
        if (found != previous_->workload_of_entry_.end()) workload = found->second;
      }
      if (!workload) workload = workload_of_entry(*entry);
      mesh_.workload_of_entry_.emplace(entry.get(), workload);
      by_namespace_[workload->namespace_].push_back(workload);
    }
    std::map<std::string, Workloads> gathered;
    for (const auto& part : parts_) {
      Workloads& into = gathered[Mesh::key_of(*part)];
      Workloads own = inline_workloads(*part);
      if (!part->selector.empty()) {
        for (const auto& workload : by_namespace_[part->namespace_]) {
          if (selects(part->selector, workload->labels)) own.push_back(workload);
        }
      }
      into.insert(into.end(), own.begin(), own.end());
    }
    for (auto& [key, found] : gathered) mesh_.workloads_.emplace(key, reuse_workloads(key, found));
    for (const auto& service : mesh_.services_) {
      for (const auto& workload : *mesh_.workloads(*service)) {
        mesh_.instances_by_address_[workload->address].push_back({service, workload});
      }
    }
  }

  void rules() {
    for (const char* kind :
         {"VirtualService", "DestinationRule", "Gateway", "PeerAuthentication", "Sidecar"}) {
      const auto& all = by_kind_[kind];
      mesh_.rules_.insert(mesh_.rules_.end(), all.begin(), all.end());
    }
    mesh_.virtual_services_ =
        make_virtual_services(by_kind_["VirtualService"], mesh_, mesh_.diagnostics_);
    for (const auto& rule : mesh_.virtual_services_) {
      std::set<std::string> bound(rule->spec.gateways().begin(), rule->spec.gateways().end());
      for (const auto& gateway : bound) mesh_.virtual_services_by_gateway_[gateway].push_back(rule);
    }
    mesh_.destination_rules_ = make_destination_rules(by_kind_["DestinationRule"], mesh_);
    for (const auto& resource : by_kind_["Gateway"]) mesh_.gateways_.push_back({resource});
    for (const auto& resource : by_kind_["PeerAuthentication"]) {
      mesh_.peer_authentications_[resource->namespace_].push_back(resource);
    }
    for (const auto& resource : by_kind_["Sidecar"]) {
      mesh_.sidecars_[resource->namespace_].push_back(resource);
    }
  }

  // A known service keeps its number; new ones take the lowest free ones in order of hostname.
  void loopback() {
    std::set<int> taken;
    std::set<std::string> wanting;
    for (const auto& service : mesh_.services_) {
      if (service->has_wildcard_host()) continue;
      std::string key = Mesh::key_of(*service);
      int known = previous_ == nullptr ? 0 : previous_->loopback_index(*service);
      if (known != 0) {
        mesh_.loopback_.emplace(key, known);
        taken.insert(known);
      } else {
        wanting.insert(service->hostname + "\n" + key);
      }
    }
    int next = kFirstLoopback;
    for (const auto& sorted : wanting) {
      while (taken.contains(next)) ++next;
      if (next > kLastLoopback) return;
      mesh_.loopback_.emplace(sorted.substr(sorted.find('\n') + 1), next++);
    }
  }

 private:
  std::vector<ServicePtr> reuse_services(const ResourcePtr& resource) {
    if (previous_ != nullptr) {
      auto found = previous_->services_of_resource_.find(resource.get());
      if (found != previous_->services_of_resource_.end()) return found->second;
    }
    std::vector<ServicePtr> made = services_of_resource(resource, mesh_.identity_);
    const auto& defaults = mesh_.config_->default_service_export_to();
    for (auto& service : made) {
      if (!service->export_to.empty() || defaults.empty()) continue;
      auto changed = std::make_shared<Service>(*service);
      changed->export_to.assign(defaults.begin(), defaults.end());
      service = std::move(changed);
    }
    return made;
  }

  // Several resources may describe one host in one namespace: the oldest one's properties, the
  // others' ports and addresses where they are new.
  void merge_same_host() {
    std::map<std::string, size_t> place;
    for (const auto& part : parts_) {
      auto [at, added] = place.emplace(Mesh::key_of(*part), mesh_.services_.size());
      if (added) {
        mesh_.services_.push_back(part);
        continue;
      }
      auto merged = std::make_shared<Service>(*mesh_.services_[at->second]);
      for (const auto& port : part->ports) {
        if (merged->port(port.number) == nullptr) merged->ports.push_back(port);
      }
      for (const auto& address : part->addresses) {
        if (std::ranges::find(merged->addresses, address) == merged->addresses.end()) {
          merged->addresses.push_back(address);
        }
      }
      mesh_.services_[at->second] = std::move(merged);
    }
  }

  void keep_previous(ServicePtr& service) {
    auto found = previous_->services_by_host_.find(service->hostname);
    if (found == previous_->services_by_host_.end()) return;
    for (const auto& known : found->second) {
      if (known->resource == service->resource && known->namespace_ == service->namespace_ &&
          known->ports == service->ports && known->addresses == service->addresses &&
          known->auto_address == service->auto_address) {
        service = known;
        return;
      }
    }
  }

  std::shared_ptr<const Workloads> reuse_workloads(const std::string& key, Workloads& found) {
    if (previous_ != nullptr) {
      auto known = previous_->workloads_.find(key);
      if (known != previous_->workloads_.end() &&
          std::ranges::equal(*known->second, found,
                             [](const auto& a, const auto& b) { return a == b || *a == *b; })) {
        return known->second;
      }
    }
    return std::make_shared<const Workloads>(std::move(found));
  }

  Mesh& mesh_;
  const Mesh* previous_;
  std::map<std::string, std::vector<ResourcePtr>> by_kind_;
  std::vector<ServicePtr> parts_;
  std::map<std::string, Workloads> by_namespace_;
};

std::shared_ptr<const Mesh> Mesh::build(const std::vector<ResourcePtr>& resources,
                                        std::shared_ptr<const api::MeshConfig> config,
                                        const Mesh* previous) {
  std::shared_ptr<Mesh> mesh(new Mesh);
  mesh->config_ = std::move(config);
  mesh->trust_domain_ =
      mesh->config_->trust_domain().empty() ? "cluster.local" : mesh->config_->trust_domain();
  mesh->root_namespace_ =
      mesh->config_->root_namespace().empty() ? "istio-system" : mesh->config_->root_namespace();
  MeshBuilder builder(*mesh, previous);
  builder.read(resources);
  builder.services();
  builder.workloads();
  builder.rules();
  builder.loopback();
  return mesh;
}

}  // namespace sennit::mesh

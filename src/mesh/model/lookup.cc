// The mesh's answers: lookups in the indexes that mesh.cc made.
#include <algorithm>

#include "mesh/model/mesh.h"

namespace sennit::mesh {

std::shared_ptr<const ProxyScope> make_scope(const Mesh& mesh, const Proxy& proxy,
                                             const api::Sidecar* sidecar);

namespace {

// Without interception several proxies may share one address: their ports tell them apart.
bool is_of(const Workload& workload, const Proxy& proxy) {
  if (proxy.interception != Proxy::Interception::None || workload.ports.empty()) return true;
  return std::ranges::any_of(proxy.inbound_ports, [&](const auto& own) {
    auto found = workload.ports.find(own.first);
    return found != workload.ports.end() && found->second == own.second;
  });
}

}  // namespace

std::vector<ServicePtr> Mesh::services_of(std::string_view hostname) const {
  auto found = services_by_host_.find(std::string(hostname));
  return found == services_by_host_.end() ? std::vector<ServicePtr>{} : found->second;
}

ServicePtr Mesh::service(std::string_view hostname, std::string_view namespace_) const {
  auto found = services_by_host_.find(std::string(hostname));
  if (found == services_by_host_.end()) return nullptr;
  ServicePtr oldest;
  for (const auto& service : found->second) {
    if (service->namespace_ == namespace_) return service;
    if (!oldest && visible(service->export_to, service->namespace_, namespace_)) oldest = service;
  }
  return oldest;
}

std::shared_ptr<const Workloads> Mesh::workloads(const Service& service) const {
  static const auto none = std::make_shared<const Workloads>();
  auto found = workloads_.find(key_of(service));
  return found == workloads_.end() ? none : found->second;
}

std::vector<Mesh::ServiceInstance> Mesh::instances_of(const Proxy& proxy) const {
  std::vector<ServiceInstance> out;
  std::vector<std::string> addresses = proxy.ips;
  if (addresses.empty()) addresses.push_back(proxy.ip);
  for (const auto& address : addresses) {
    auto found = instances_by_address_.find(address);
    if (found == instances_by_address_.end()) continue;
    for (const auto& instance : found->second) {
      if (instance.workload->namespace_ == proxy.namespace_ && is_of(*instance.workload, proxy)) {
        out.push_back(instance);
      }
    }
  }
  return out;
}

std::vector<VirtualServicePtr> Mesh::virtual_services_of_gateway(
    std::string_view gateway, std::string_view namespace_) const {
  std::vector<VirtualServicePtr> out;
  auto found = virtual_services_by_gateway_.find(std::string(gateway));
  if (found == virtual_services_by_gateway_.end()) return out;
  for (const auto& rule : found->second) {
    const auto& exported = rule->spec.export_to();
    if (visible({exported.begin(), exported.end()}, rule->resource->namespace_, namespace_)) {
      out.push_back(rule);
    }
  }
  return out;
}

std::vector<GatewayRule> Mesh::gateways_for(const Proxy& proxy) const {
  std::vector<GatewayRule> out;
  for (const auto& gateway : gateways_) {
    const auto& selector = gateway.spec().selector();
    if (selects({selector.begin(), selector.end()}, proxy.labels)) out.push_back(gateway);
  }
  return out;
}

const api::Sidecar* Mesh::sidecar_of(const Proxy& proxy, std::string& key) const {
  key = proxy.namespace_;
  if (proxy.type == Proxy::Type::Router) return nullptr;
  auto pick = [&](const std::string& namespace_, bool by_selector) -> const api::Sidecar* {
    auto found = sidecars_.find(namespace_);
    if (found == sidecars_.end()) return nullptr;
    for (const auto& resource : found->second) {
      const auto& spec = resource->as<api::Sidecar>();
      const auto& wanted = spec.workload_selector().labels();
      if (wanted.empty() == by_selector) continue;
      if (!selects({wanted.begin(), wanted.end()}, proxy.labels)) continue;
      key = proxy.namespace_ + "|" + namespace_ + "/" + resource->name;
      return &spec;
    }
    return nullptr;
  };
  if (const auto* own = pick(proxy.namespace_, true)) return own;
  if (const auto* own = pick(proxy.namespace_, false)) return own;
  return proxy.namespace_ == root_namespace_ ? nullptr : pick(root_namespace_, false);
}

std::shared_ptr<const ProxyScope> Mesh::scope(const Proxy& proxy) const {
  std::string key;
  const api::Sidecar* sidecar = sidecar_of(proxy, key);
  {
    std::lock_guard lock(scopes_mutex_);
    if (auto found = scopes_.find(key); found != scopes_.end()) return found->second;
  }
  auto made = make_scope(*this, proxy, sidecar);
  std::lock_guard lock(scopes_mutex_);
  return scopes_.emplace(key, std::move(made)).first->second;
}

uint8_t Mesh::loopback_index(const Service& service) const {
  auto found = loopback_.find(key_of(service));
  return found == loopback_.end() ? 0 : found->second;
}

bool Mesh::visible(const std::vector<std::string>& export_to, std::string_view owner_namespace,
                   std::string_view client_namespace) const {
  if (export_to.empty()) return true;
  return std::ranges::any_of(export_to, [&](const std::string& to) {
    if (to == "*") return true;
    if (to == ".") return owner_namespace == client_namespace;
    return to == client_namespace;
  });
}

}  // namespace sennit::mesh

// What a proxy can see: exportTo first, then its Sidecar.
#include <algorithm>
#include <set>

#include "mesh/model/hostname.h"
#include "mesh/model/mesh.h"

namespace sennit::mesh {

namespace {

// An egress host, "NAMESPACE/DNS-NAME", taken apart.
struct Import {
  std::string namespace_, host;
};

Import parse_import(const std::string& written, const std::string& proxy_namespace) {
  size_t slash = written.find('/');
  if (slash == written.npos) return {"*", written};
  Import out{written.substr(0, slash), written.substr(slash + 1)};
  if (out.namespace_ == ".") out.namespace_ = proxy_namespace;
  return out;
}

bool imported(const std::vector<Import>& imports, const std::string& namespace_,
              const std::string& host) {
  return std::ranges::any_of(imports, [&](const Import& import) {
    return (import.namespace_ == "*" || import.namespace_ == namespace_) &&
           host_subset_of(host, import.host);
  });
}

bool imports_virtual_service(const std::vector<Import>& imports, const VirtualServiceRule& rule) {
  return std::ranges::any_of(imports, [&](const Import& import) {
    if (import.namespace_ != "*" && import.namespace_ != rule.resource->namespace_) return false;
    return std::ranges::any_of(
        rule.spec.hosts(), [&](const std::string& host) { return hosts_match(host, import.host); });
  });
}

std::vector<std::string> destinations_of(const api::VirtualService& spec) {
  std::vector<std::string> hosts;
  for (const auto& http : spec.http()) {
    for (const auto& route : http.route()) hosts.push_back(route.destination().host());
    if (http.has_mirror()) hosts.push_back(http.mirror().host());
    for (const auto& mirror : http.mirrors()) hosts.push_back(mirror.destination().host());
  }
  for (const auto& tls : spec.tls()) {
    for (const auto& route : tls.route()) hosts.push_back(route.destination().host());
  }
  for (const auto& tcp : spec.tcp()) {
    for (const auto& route : tcp.route()) hosts.push_back(route.destination().host());
  }
  return hosts;
}

// Of several services with one hostname: the proxy's own namespace's, else the oldest.
void keep_one_per_host(std::vector<ServicePtr>& services, const std::string& proxy_namespace) {
  std::map<std::string_view, ServicePtr> chosen;
  for (const auto& service : services) {
    auto [at, added] = chosen.emplace(service->hostname, service);
    if (!added && service->namespace_ == proxy_namespace &&
        at->second->namespace_ != proxy_namespace) {
      at->second = service;
    }
  }
  std::erase_if(services, [&](const ServicePtr& s) { return chosen.at(s->hostname) != s; });
}

bool listens_on(const api::IstioEgressListener& egress, const Service& service) {
  return egress.port().number() == 0 || service.port(egress.port().number()) != nullptr;
}

// One hostname is offered to a port's listener only where the service has that port.
ServicePtr narrowed(const api::IstioEgressListener& egress, const ServicePtr& service) {
  if (egress.port().number() == 0 || service->ports.size() == 1) return service;
  auto out = std::make_shared<Service>(*service);
  std::erase_if(out->ports,
                [&](const ServicePort& port) { return port.number != egress.port().number(); });
  return out;
}

}  // namespace

std::shared_ptr<const ProxyScope> make_scope(const Mesh& mesh, const Proxy& proxy,
                                             const api::Sidecar* sidecar) {
  auto scope = std::make_shared<ProxyScope>();
  scope->sidecar = sidecar;
  std::vector<ServicePtr> visible;
  for (const auto& service : mesh.services()) {
    if (mesh.visible(service->export_to, service->namespace_, proxy.namespace_)) {
      visible.push_back(service);
    }
  }
  std::vector<VirtualServicePtr> rules = mesh.virtual_services_of_gateway("mesh", proxy.namespace_);
  const auto& policy = mesh.config().outbound_traffic_policy();
  scope->registry_only =
      policy.has_mode() && policy.mode() == api::MeshConfig::OutboundTrafficPolicy::REGISTRY_ONLY;
  if (sidecar != nullptr && sidecar->has_outbound_traffic_policy()) {
    scope->registry_only = sidecar->outbound_traffic_policy().mode() ==
                           api::SidecarOutboundTrafficPolicy::REGISTRY_ONLY;
  }

  if (sidecar == nullptr || sidecar->egress().empty()) {
    keep_one_per_host(visible, proxy.namespace_);
    scope->services = visible;
    scope->listeners.push_back({nullptr, std::move(visible), std::move(rules)});
    return scope;
  }

  std::set<std::string> in_scope;  // hostnames
  auto add = [&](const ServicePtr& service) {
    if (in_scope.insert(service->hostname).second) scope->services.push_back(service);
  };
  for (const auto& egress : sidecar->egress()) {
    ProxyScope::Listener listener{&egress, {}, {}};
    std::vector<Import> imports;
    for (const auto& host : egress.hosts()) imports.push_back(parse_import(host, proxy.namespace_));
    std::vector<ServicePtr> whole;
    for (const auto& service : visible) {
      if (imported(imports, service->namespace_, service->hostname) &&
          listens_on(egress, *service)) {
        whole.push_back(service);
      }
    }
    keep_one_per_host(whole, proxy.namespace_);
    for (const auto& service : whole) {
      add(service);
      listener.services.push_back(narrowed(egress, service));
    }
    for (const auto& rule : rules) {
      if (!imports_virtual_service(imports, *rule)) continue;
      listener.virtual_services.push_back(rule);
      for (const auto& host : destinations_of(rule->spec)) {
        if (auto service = mesh.service(host, proxy.namespace_)) add(service);
      }
    }
    scope->listeners.push_back(std::move(listener));
  }
  return scope;
}

}  // namespace sennit::mesh

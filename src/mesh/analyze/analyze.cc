#include "mesh/analyze/analyze.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mesh/analyze/inventory.h"
#include "mesh/api/checker.h"
#include "mesh/api/istio/gateway.pb.h"
#include "mesh/api/istio/peer_authentication.pb.h"
#include "mesh/api/istio/service.pb.h"
#include "mesh/api/istio/sidecar.pb.h"
#include "mesh/api/istio/virtual_service.pb.h"
#include "mesh/api/validate/common.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;
constexpr auto kWarning = Diagnostic::Level::Warning;

class Analyzer {
 public:
  Analyzer(const std::vector<ResourcePtr>& resources, const std::string& root_namespace)
      : inventory_(resources), root_namespace_(root_namespace) {}

  void visit(const Resource& resource, std::vector<Diagnostic>& diagnostics) {
    Checker checker(resource, diagnostics);
    if (resource.kind == "VirtualService") return virtual_service(resource, checker);
    if (resource.kind == "DestinationRule") return destination_rule(resource, checker);
    if (resource.kind == "Sidecar") return sidecar(resource, checker);
    if (resource.kind == "PeerAuthentication") {
      const auto& spec = resource.as<api::PeerAuthentication>();
      check_selects(checker, "selector", to_labels(spec.selector().match_labels()));
    } else if (resource.kind == "Service") {
      check_selects(checker, "selector", to_labels(resource.as<api::Service>().selector()));
    }
  }

 private:
  // --- selectors
  void check_selects(Checker& checker, const std::string& field, const Labels& selector) {
    const std::string& namespace_ = checker.resource().namespace_;
    if (selector.empty() ||
        inventory_.selects_any(selector, namespace_ == root_namespace_ ? "" : namespace_))
      return;
    checker.add(kWarning, field, "IST0127",
                fmt::format("selects no workload of namespace {}; look at the labels of its "
                            "WorkloadGroups and WorkloadEntries",
                            namespace_));
  }

  // --- VirtualService
  void virtual_service(const Resource& resource, Checker& checker) {
    const auto& spec = resource.as<api::VirtualService>();
    check_gateways(checker, "gateways", spec.gateways());
    check_gateway_hosts(checker, spec);
    check_conflicts(checker, spec);
    for (int i = 0; i < spec.http_size(); ++i) http_route(checker, at("http", i), spec.http(i));
    for (int i = 0; i < spec.tls_size(); ++i)
      destinations(checker, below(at("tls", i), "route"), spec.tls(i).route());
    for (int i = 0; i < spec.tcp_size(); ++i)
      destinations(checker, below(at("tcp", i), "route"), spec.tcp(i).route());
  }

  void http_route(Checker& checker, const std::string& field, const api::HTTPRoute& route) {
    destinations(checker, below(field, "route"), route.route());
    destinations(checker, below(field, "mirrors"), route.mirrors());
    if (route.has_mirror()) destination(checker, below(field, "mirror"), route.mirror());
    for (int i = 0; i < route.match_size(); ++i)
      check_gateways(checker, below(at(below(field, "match"), i), "gateways"),
                     route.match(i).gateways());
    if (!route.has_delegate()) return;
    const auto& delegate = route.delegate();
    const ResourceKey key{
        "VirtualService",
        delegate.namespace_().empty() ? checker.resource().namespace_ : delegate.namespace_(),
        delegate.name()};
    if (!inventory_.find(key))
      checker.add(kWarning, below(field, "delegate"), "IST0101",
                  fmt::format("there is no {}; add it, or correct the name", key.display_name()));
  }

  template <typename Routes>
  void destinations(Checker& checker, const std::string& field, const Routes& routes) {
    for (int i = 0; i < routes.size(); ++i)
      destination(checker, below(at(field, i), "destination"), routes[i].destination());
  }

  void destination(Checker& checker, const std::string& field,
                   const api::Destination& destination) {
    const std::string host = Inventory::host_in(destination.host(), checker.resource().namespace_);
    const KnownService* service = inventory_.service(host);
    if (!service) {
      const std::string nearest = inventory_.nearest_host(host);
      return checker.add(kWarning, below(field, "host"), "IST0101",
                         fmt::format("no Service or ServiceEntry has the host {}{}", host,
                                     nearest.empty() ? "; add one, or correct the name"
                                                     : "; did you mean " + nearest + "?"));
    }
    check_port_of(checker, field, destination, host, *service);
    if (!destination.subset().empty()) check_subset(checker, field, destination, host);
  }

  static void check_port_of(Checker& checker, const std::string& field,
                            const api::Destination& destination, const std::string& host,
                            const KnownService& service) {
    if (!destination.has_port()) {
      if (service.ports.size() > 1)
        checker.add(kWarning, field, "IST0112",
                    fmt::format("{} has several ports ({}); say which by \"port\"", host,
                                fmt::join(service.ports, ", ")));
    } else if (!service.ports.contains(destination.port().number())) {
      checker.add(kWarning, below(field, "port.number"), "IST0101",
                  fmt::format("{} has no port {} (it has {})", host, destination.port().number(),
                              fmt::join(service.ports, ", ")));
    }
  }

  void check_subset(Checker& checker, const std::string& field, const api::Destination& destination,
                    const std::string& host) {
    const auto* subsets = inventory_.subsets(host);
    if (subsets && subsets->contains(destination.subset())) return;
    const Resource* rule = inventory_.destination_rule(host);
    std::string message;
    if (!rule) {
      message = fmt::format(
          "no DestinationRule has the host {}, so there is no subset \"{}\"; add "
          "one with it",
          host, destination.subset());
    } else {
      message = fmt::format(
          "\"{}\" is not a subset of {} ({}). Add it there, or route to one of "
          "those.",
          destination.subset(), rule->display_name(),
          subsets ? fmt::format("it has {}", fmt::join(*subsets, ", ")) : "it has none");
    }
    checker.add(kWarning, below(field, "subset"), "IST0101", std::move(message));
  }

  void check_gateways(Checker& checker, const std::string& field, const StringList& gateways) {
    for (int i = 0; i < gateways.size(); ++i)
      if (gateways[i] != "mesh" && !gateway_of(gateways[i], checker.resource()))
        checker.add(
            kWarning, at(field, i), "IST0101",
            fmt::format("there is no Gateway {}; add it, or correct the name", gateways[i]));
  }

  const Resource* gateway_of(std::string name, const Resource& from) const {
    if (name.starts_with("./")) name = name.substr(2);
    return inventory_.gateway(name.find('/') == std::string::npos ? from.namespace_ + "/" + name
                                                                  : name);
  }

  // Every host must be one that a gateway of it listens for.
  void check_gateway_hosts(Checker& checker, const api::VirtualService& spec) {
    std::vector<std::string> listened;
    for (const std::string& name : spec.gateways()) {
      const Resource* gateway = name == "mesh" ? nullptr : gateway_of(name, checker.resource());
      if (!gateway) return;  // the mesh has every host; a missing gateway was told of
      for (const auto& server : gateway->as<api::Gateway>().servers())
        for (const std::string& host : server.hosts())
          listened.push_back(host.substr(host.find('/') + 1));
    }
    if (listened.empty()) return;
    for (int i = 0; i < spec.hosts_size(); ++i) {
      const std::string& host = spec.hosts(i);
      const auto overlaps = [&](const std::string& other) {
        return other == "*" || host == "*" || other == host ||
               (other.starts_with("*.") && host.ends_with(other.substr(1))) ||
               (host.starts_with("*.") && other.ends_with(host.substr(1)));
      };
      if (!std::ranges::any_of(listened, overlaps))
        checker.add(kWarning, at("hosts", i), "IST0132",
                    fmt::format("\"{}\" is no host of its gateways (they have {})", host,
                                fmt::join(listened, ", ")));
    }
  }

  // Two VirtualServices for one host in the mesh: only one of them is in force.
  void check_conflicts(Checker& checker, const api::VirtualService& spec) {
    const bool mesh = spec.gateways_size() == 0 || std::ranges::count(spec.gateways(), "mesh") > 0;
    if (!mesh) return;
    for (int i = 0; i < spec.hosts_size(); ++i) {
      const std::string host = Inventory::host_in(spec.hosts(i), checker.resource().namespace_);
      const auto [first, fresh] = mesh_hosts_.emplace(host, &checker.resource());
      if (fresh || first->second == &checker.resource()) continue;
      checker.add(
          kWarning, at("hosts", i), "IST0109",
          fmt::format("{} ({}) routes {}, too, and only the older of the two is in force; "
                      "put the routes into one",
                      first->second->display_name(), first->second->origin.to_string(), host));
    }
  }

  // --- DestinationRule
  void destination_rule(const Resource& resource, Checker& checker) {
    const auto& spec = resource.as<api::DestinationRule>();
    const std::string host = Inventory::host_in(spec.host(), resource.namespace_);
    const KnownService* service = inventory_.service(host);
    if (!service)
      return checker.add(kWarning, "host", "IST0174",
                         fmt::format("no Service or ServiceEntry has the host {}; add one, or "
                                     "correct the name",
                                     host));
    if (!service->workloads_known || host.starts_with('*')) return;
    for (int i = 0; i < spec.subsets_size(); ++i) {
      const Labels labels = to_labels(spec.subsets(i).labels());
      if (std::ranges::none_of(service->workloads,
                               [&](const Labels& workload) { return matches(labels, workload); }))
        checker.add(kWarning, at("subsets", i), "IST0173",
                    fmt::format("subset \"{}\" selects no workload of {}; look at its labels",
                                spec.subsets(i).name(), host));
    }
  }

  // --- Sidecar
  void sidecar(const Resource& resource, Checker& checker) {
    const auto& spec = resource.as<api::Sidecar>();
    if (spec.has_workload_selector())
      return check_selects(checker, "workloadSelector",
                           to_labels(spec.workload_selector().labels()));
    const auto [first, fresh] = namespace_sidecars_.emplace(resource.namespace_, &resource);
    if (!fresh)
      checker.add(kWarning, "", "IST0111",
                  fmt::format("{} is without workloadSelector, too, so which of the two holds for "
                              "namespace {} is left to chance",
                              first->second->display_name(), resource.namespace_));
  }

  Inventory inventory_;
  const std::string root_namespace_;
  std::map<std::string, const Resource*> mesh_hosts_, namespace_sidecars_;
};

}  // namespace

std::vector<Diagnostic> analyze(const std::vector<ResourcePtr>& resources,
                                const std::string& root_namespace) {
  std::vector<Diagnostic> diagnostics;
  Analyzer analyzer(resources, root_namespace);
  for (const ResourcePtr& resource : resources) analyzer.visit(*resource, diagnostics);
  return diagnostics;
}

}  // namespace sennit::mesh

// The mesh at one moment: every service, workload and rule, indexed for translation. Immutable and
// thread-safe; a change makes a new snapshot that shares what did not change.
//
//   auto mesh = Mesh::build(resources, config, previous.get());
//   ChangeSummary change = summarize(previous.get(), *mesh);
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mesh/api/istio/destination_rule.pb.h"
#include "mesh/api/istio/gateway.pb.h"
#include "mesh/api/istio/mesh_config.pb.h"
#include "mesh/api/istio/peer_authentication.pb.h"
#include "mesh/api/istio/sidecar.pb.h"
#include "mesh/api/istio/virtual_service.pb.h"
#include "mesh/api/resource.h"
#include "mesh/model/proxy.h"
#include "mesh/model/service.h"

namespace sennit::mesh {

namespace api = sennit::istio::v1;

// A VirtualService with names made whole: hosts, gateways ("mesh" or "NAMESPACE/NAME") and
// destinations are fully qualified, delegates are merged in. `spec` is a private copy.
struct VirtualServiceRule {
  ResourcePtr resource;
  api::VirtualService spec;
};
using VirtualServicePtr = std::shared_ptr<const VirtualServiceRule>;

// The DestinationRule in force for a host: those of one namespace and host are merged (the oldest
// one's policy, everyone's subsets).
struct DestinationRuleEntry {
  ResourcePtr resource;  // the oldest one
  api::DestinationRule spec;
  std::vector<std::string> export_to;
};
using DestinationRulePtr = std::shared_ptr<const DestinationRuleEntry>;

struct GatewayRule {
  ResourcePtr resource;
  std::string full_name() const { return resource->namespace_ + "/" + resource->name; }
  const api::Gateway& spec() const { return resource->as<api::Gateway>(); }
};

enum class MutualTls { Disable, Permissive, Strict };

// What one proxy can see: after exportTo and its Sidecar. Services in the order of creation time,
// hostname, namespace.
struct ProxyScope {
  const api::Sidecar* sidecar = nullptr;  // nullptr: the default, everything exported
  struct Listener {
    const api::IstioEgressListener* egress = nullptr;  // nullptr: catch-all without a Sidecar
    std::vector<ServicePtr> services;
    std::vector<VirtualServicePtr> virtual_services;  // those of gateway "mesh", in order of age
  };
  std::vector<Listener> listeners;
  // The union of all listeners and of what their virtual services refer to: its clusters.
  std::vector<ServicePtr> services;
  bool registry_only = false;
};

class Mesh {
 public:
  struct Identity {
    std::string cluster_id = "Kubernetes";
    std::string domain = "cluster.local";
  };

  // `resources`: all that are in force, of any kind; kinds that are not translated are passed over.
  // `previous` lends what did not change (never needed for the result's meaning).
  static std::shared_ptr<const Mesh> build(const std::vector<ResourcePtr>& resources,
                                           std::shared_ptr<const api::MeshConfig> config,
                                           const Mesh* previous = nullptr);
  ~Mesh();

  const api::MeshConfig& config() const { return *config_; }
  const std::string& trust_domain() const { return trust_domain_; }
  const std::string& root_namespace() const { return root_namespace_; }
  const Identity& identity() const { return identity_; }
  // What did not fit together: conflicting or missing delegates, duplicate hosts, ...
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

  const std::vector<ServicePtr>& services() const { return services_; }
  // All services of this hostname (one per namespace), exact name.
  std::vector<ServicePtr> services_of(std::string_view hostname) const;
  // The one that `namespace_` sees: its own first, then the oldest that is exported to it.
  ServicePtr service(std::string_view hostname, std::string_view namespace_) const;
  // Endpoints of a service, in a stable order. Never nullptr.
  std::shared_ptr<const Workloads> workloads(const Service& service) const;
  // Services that the workload at one of the proxy's addresses answers for, with it.
  struct ServiceInstance {
    ServicePtr service;
    WorkloadPtr workload;
  };
  std::vector<ServiceInstance> instances_of(const Proxy& proxy) const;

  const std::vector<VirtualServicePtr>& virtual_services() const { return virtual_services_; }
  // Those bound to a gateway ("NAMESPACE/NAME") that `namespace_` sees, oldest first.
  std::vector<VirtualServicePtr> virtual_services_of_gateway(std::string_view gateway,
                                                             std::string_view namespace_) const;
  // The rule for a service as a client in `client_namespace` sees it: the client's namespace, then
  // the service's, then the root namespace. nullptr: none.
  DestinationRulePtr destination_rule(const Service& service, std::string_view client_namespace,
                                      const Labels& client_labels) const;
  // Gateways whose selector the labels satisfy, oldest first.
  std::vector<GatewayRule> gateways_for(const Proxy& proxy) const;

  // PeerAuthentication for a workload: port, workload, namespace, mesh, else PERMISSIVE. `port` is
  // the workload's own port; 0: of no port in particular.
  MutualTls mutual_tls(std::string_view namespace_, const Labels& labels, uint32_t port) const;

  // Computed once per (namespace, Sidecar) and kept.
  std::shared_ptr<const ProxyScope> scope(const Proxy& proxy) const;

  // Interception None: n of `LOOPBACK_PREFIX.n` for a service; 2 to 254, given in order of
  // hostname and kept over changes. 0: there is no address left.
  uint8_t loopback_index(const Service& service) const;

  bool visible(const std::vector<std::string>& export_to, std::string_view owner_namespace,
               std::string_view client_namespace) const;

  // The label key of a service: "namespace/hostname".
  static std::string key_of(const Service& service);

 private:
  friend class MeshBuilder;
  friend struct ChangeSummary;
  friend struct ChangeSummary summarize(const Mesh* before, const Mesh& after);
  Mesh();
  const api::Sidecar* sidecar_of(const Proxy& proxy, std::string& key) const;

  std::shared_ptr<const api::MeshConfig> config_;
  std::string trust_domain_, root_namespace_;
  Identity identity_;
  std::vector<Diagnostic> diagnostics_;
  std::vector<ServicePtr> services_;
  std::unordered_map<std::string, std::vector<ServicePtr>> services_by_host_;
  std::unordered_map<std::string, std::shared_ptr<const Workloads>> workloads_;  // by key_of
  std::unordered_map<std::string, std::vector<ServiceInstance>> instances_by_address_;
  std::vector<VirtualServicePtr> virtual_services_;
  std::unordered_map<std::string, std::vector<VirtualServicePtr>> virtual_services_by_gateway_;
  // By namespace, then host.
  std::map<std::string, std::map<std::string, std::vector<DestinationRulePtr>>, std::less<>>
      destination_rules_;
  std::vector<GatewayRule> gateways_;
  std::map<std::string, std::vector<ResourcePtr>, std::less<>> peer_authentications_, sidecars_;
  std::unordered_map<std::string, uint8_t> loopback_;
  std::vector<ResourcePtr> rules_;  // everything but services and workloads, as given
  std::unordered_map<const Resource*, WorkloadPtr> workload_of_entry_;
  std::unordered_map<const Resource*, std::vector<ServicePtr>> services_of_resource_;

  mutable std::mutex scopes_mutex_;
  mutable std::unordered_map<std::string, std::shared_ptr<const ProxyScope>> scopes_;
};

// What differs between two snapshots, for the pushers.
struct ChangeSummary {
  // Clusters, listeners or routes may differ, not only endpoints.
  bool everything = false;
  // Services (hostnames) whose endpoints differ: their ClusterLoadAssignments are to be remade.
  // Complete only where `everything` is false.
  std::set<std::string> services;
  // Addresses of workloads that joined, left or changed: the proxy at one of them gets all types
  // anew even if `everything` is false (its inbound listeners follow from its workload).
  std::set<std::string> workload_addresses;
  bool empty() const { return !everything && services.empty() && workload_addresses.empty(); }
};
// `before` may be nullptr: everything.
ChangeSummary summarize(const Mesh* before, const Mesh& after);

// The WorkloadEntry of a proxy that registers itself into a WorkloadGroup (AUTO_REGISTER_GROUP):
// named GROUP-IP, with the group's labels and template and Istio's auto-registration annotations.
Result<ResourcePtr> workload_entry_from_group(const Resource& group, const Proxy& proxy);

}  // namespace sennit::mesh

// What a set of resources offers: services by host, subsets, gateways, workloads. For analyze().
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/api/istio/destination_rule.pb.h"
#include "mesh/api/resource.h"

namespace sennit::mesh {

using Labels = std::map<std::string, std::string>;

struct KnownWorkload {
  std::string namespace_;
  Labels labels;
};

struct KnownService {
  std::set<uint32_t> ports;
  bool workloads_known = false;  // `workloads` are all that there are
  std::vector<Labels> workloads;
};

class Inventory {
 public:
  explicit Inventory(const std::vector<ResourcePtr>& resources);

  // "reviews" in namespace default → "reviews.default.svc.cluster.local"; names with dots stay.
  static std::string host_in(std::string_view host, std::string_view namespace_);

  // By exact host or by a wildcard; nullptr where no service has it.
  const KnownService* service(const std::string& host) const;
  // A known host much like the one that is missing; empty where there is none.
  std::string nearest_host(const std::string& host) const;
  // Subsets of all DestinationRules of the host.
  const std::set<std::string>* subsets(const std::string& host) const;
  const Resource* destination_rule(const std::string& host) const;
  const Resource* gateway(const std::string& namespaced_name) const;  // "default/web"
  const Resource* find(const ResourceKey& key) const;
  // True where a workload of the namespace ("" is any) has all the labels, and where none is known.
  bool selects_any(const Labels& selector, std::string_view namespace_) const;
  bool knows_workloads() const { return !workloads_.empty(); }

 private:
  void add(const ResourcePtr& resource);
  void add_service(const Resource& resource);
  void add_service_entry(const Resource& resource);

  std::map<std::string, KnownService> services_;
  std::map<std::string, std::set<std::string>> subsets_;
  std::map<std::string, const Resource*> rules_;
  std::map<ResourceKey, const Resource*> resources_;
  std::vector<KnownWorkload> workloads_;
};

bool matches(const Labels& selector, const Labels& labels);

template <typename Map>
Labels to_labels(const Map& map) {
  return Labels(map.begin(), map.end());
}

}  // namespace sennit::mesh

// ClusterLoadAssignment -> hosts. Main thread.
#pragma once

#include <envoy/config/endpoint/v3/endpoint.pb.h>

#include "proxy/upstream/lb_state.h"

namespace sennit::proxy {

// An endpoint as configured: the host with everything but, for names, its address.
struct EndpointTemplate {
  std::shared_ptr<Host> host;
  std::string name;  // to be resolved; empty: host->address is set
  uint16_t port = 0;
};

struct Endpoints {
  std::vector<EndpointTemplate> endpoints;
  std::vector<std::map<Locality, uint32_t>> locality_weights;
  uint32_t overprovisioning_percent = 140;
};

// Errors name the field by its path below the assignment. `allow_names`: socket addresses may be
// host names (DNS clusters).
Result<Endpoints> read_assignment(const envoy::config::endpoint::v3::ClusterLoadAssignment& from,
                                  const ClusterConfig& config, bool allow_names);

// The endpoints with addresses as hosts; the same address twice is one host, as in Envoy.
HostSet host_set(const Endpoints& endpoints);

// Keeps the identity of hosts that were there before: a host of `next` that is as one of `before`
// (but for weight, priority and EDS health, which are taken over) is replaced by it; one whose
// metadata changed inherits health and counters. Gives back the hosts that are gone.
std::vector<HostPtr> keep_identity(const std::vector<HostPtr>& before, std::vector<HostPtr>& next);

}  // namespace sennit::proxy

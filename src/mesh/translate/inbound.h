// What the proxy's own workload serves, and the listeners before it.
#pragma once

#include <envoy/config/listener/v3/listener.pb.h>

#include <string>
#include <vector>

#include "mesh/translate/common.h"

namespace sennit::mesh {

struct InboundPort {
  ServicePtr service;                // the oldest that names this port; nullptr: none does
  std::vector<ServicePtr> services;  // all that do
  ServicePort port;
  uint32_t workload_port = 0;  // in cluster names and filter chain matches
  // Where the application listens, if that is not where the traffic was sent.
  std::string local_address;
  uint32_t local_port = 0;
  uint32_t bind_port = 0;  // interception None: the mesh-facing port of the listener
};

// In the order of workload ports.
std::vector<InboundPort> inbound_ports(const Mesh& mesh, const Proxy& proxy);

// virtualInbound (:15006), or with interception None one listener per port.
std::vector<envoy::config::listener::v3::Listener> inbound_listeners(const Mesh& mesh,
                                                                     const Proxy& proxy);

}  // namespace sennit::mesh

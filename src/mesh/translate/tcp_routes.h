// Filter chains for TCP and TLS: from VirtualServices' tcp and tls blocks, else straight to the
// service.
#pragma once

#include <string>
#include <vector>

#include "mesh/translate/filters.h"

namespace sennit::mesh {

struct TcpTarget {
  const Service& service;
  const ServicePort& port;
  std::string destination_cidr;  // not empty: only this block of addresses
  bool by_sni = false;           // a TLS port whose listener many services share
};

// Chains for one port of a sidecar's service. Never empty.
std::vector<FilterChain> sidecar_tcp_chains(const Mesh& mesh, const Proxy& proxy,
                                            const TcpTarget& target,
                                            const std::vector<VirtualServicePtr>& rules);
// Chains of a gateway's TCP or TLS server.
std::vector<FilterChain> gateway_tcp_chains(const Mesh& mesh, const Proxy& proxy,
                                            const GatewayRule& gateway, const api::Server& server);

}  // namespace sennit::mesh

// Istio's rules for each kind beyond types: what its webhook rejects or warns of. One .cc per kind.
// The spec has the kind's type; messages go to the checker, with the field and the mending.
#pragma once

#include "mesh/api/checker.h"

namespace sennit::mesh {

void validate_service(const Resource&, Checker&);
void validate_virtual_service(const Resource&, Checker&);
void validate_destination_rule(const Resource&, Checker&);
void validate_gateway(const Resource&, Checker&);
void validate_service_entry(const Resource&, Checker&);
void validate_workload_entry(const Resource&, Checker&);
void validate_workload_group(const Resource&, Checker&);
void validate_sidecar(const Resource&, Checker&);
void validate_proxy_config(const Resource&, Checker&);
void validate_peer_authentication(const Resource&, Checker&);
void validate_request_authentication(const Resource&, Checker&);
void validate_authorization_policy(const Resource&, Checker&);
void validate_telemetry(const Resource&, Checker&);
void validate_envoy_filter(const Resource&, Checker&);
void validate_wasm_plugin(const Resource&, Checker&);
void validate_traffic_extension(const Resource&, Checker&);

}  // namespace sennit::mesh

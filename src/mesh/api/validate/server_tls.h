// TLS settings of a server: Gateway's and Sidecar's ingress.
#pragma once

#include "mesh/api/istio/gateway.pb.h"
#include "mesh/api/validate/common.h"

namespace sennit::mesh {

void check_server_tls(Checker& checker, const std::string& field,
                      const istio::v1::ServerTLSSettings& tls);

}  // namespace sennit::mesh

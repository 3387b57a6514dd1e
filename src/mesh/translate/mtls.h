// TLS contexts: Istio's mutual TLS (SDS secrets "default" and "ROOTCA" by way of the proxy's own
// cluster "sds-grpc"), TLS origination of DestinationRules, and gateways' servers.
#pragma once

#include <envoy/config/core/v3/base.pb.h>

#include <string>
#include <vector>

#include "mesh/translate/common.h"

namespace sennit::mesh {

// Client side of Istio's mutual TLS. `http2`: h2 is offered too. Empty `subject_alt_names`: any
// identity under the roots.
envoy::config::core::v3::TransportSocket istio_mutual_client(
    const std::vector<std::string>& subject_alt_names, const std::string& sni, bool http2);
// SIMPLE and MUTUAL of a DestinationRule. `default_names`: the service's own subjectAltNames.
envoy::config::core::v3::TransportSocket originated_tls(
    const api::ClientTLSSettings& settings, const std::vector<std::string>& default_names,
    bool http2, bool follows_client);
envoy::config::core::v3::TransportSocket raw_buffer();

// Server side of mutual TLS on a sidecar: clients of the trust domain and its aliases.
envoy::config::core::v3::TransportSocket istio_mutual_server(const Mesh& mesh, bool http);
// A gateway's server block.
envoy::config::core::v3::TransportSocket gateway_server_tls(const api::ServerTLSSettings& settings,
                                                            const Mesh& mesh, bool http);

}  // namespace sennit::mesh

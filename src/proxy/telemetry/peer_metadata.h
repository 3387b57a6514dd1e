// Who a peer is, in the words of Istio's telemetry: learned by metadata exchange (HTTP headers
// x-envoy-peer-metadata, TCP's istio-peer-exchange) and from endpoint metadata. Immutable, shared.
#pragma once

#include <map>
#include <string>

namespace sennit::proxy {

struct PeerMetadata {
  std::string workload, namespace_, cluster;
  std::string app, version;
  std::string canonical_name, canonical_revision;
  std::map<std::string, std::string> labels;
};

}  // namespace sennit::proxy

// Who a peer is, in the words of Istio's telemetry: learned by metadata exchange (HTTP headers
// x-envoy-peer-metadata, TCP's istio-peer-exchange) and from endpoint metadata. Immutable, shared.
#pragma once

#include <google/protobuf/struct.pb.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace sennit::proxy {

struct LocalNode;  // proxy/config/local_node.h

struct PeerMetadata {
  std::string workload, namespace_, cluster;
  std::string app, version;
  std::string canonical_name, canonical_revision;
  std::map<std::string, std::string> labels;
};

// This proxy's own workload.
PeerMetadata local_peer_metadata(const LocalNode& node);

// The struct that Istio's proxies exchange (NAME, NAMESPACE, WORKLOAD_NAME, CLUSTER_ID, LABELS).
google::protobuf::Struct peer_metadata_struct(const PeerMetadata& peer,
                                              std::string_view instance_name);
PeerMetadata peer_metadata_from_struct(const google::protobuf::Struct& fields);

// The x-envoy-peer-metadata header: base64 of the serialised struct, the same bytes every time.
std::string encode_peer_metadata(const PeerMetadata& peer, std::string_view instance_name);
// nullptr for what is no such header. Decoded peers are kept per thread by the header's bytes
// (kMaxCachedPeers), so that equal headers give the same pointer, at the cost of one lookup.
std::shared_ptr<const PeerMetadata> decode_peer_metadata(std::string_view header);

// Endpoint metadata "istio": "workload" =
// "name;namespace;canonical-name;canonical-revision;cluster".
PeerMetadata peer_metadata_from_workload(std::string_view workload);

}  // namespace sennit::proxy

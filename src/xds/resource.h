// The xDS protocol's server side, apart from transports and meaning: a resource ready to be sent,
// and where a stream gets them from. Used by the control plane (src/mesh/push) and by the identity
// module's SDS server (src/identity).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sennit::xds {

inline constexpr std::string_view kClusterType =
    "type.googleapis.com/envoy.config.cluster.v3.Cluster";
inline constexpr std::string_view kEndpointType =
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
inline constexpr std::string_view kListenerType =
    "type.googleapis.com/envoy.config.listener.v3.Listener";
inline constexpr std::string_view kRouteType =
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
inline constexpr std::string_view kSecretType =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

// Serialised once, shared by every stream that sends the same.
struct Resource {
  std::string name;
  std::shared_ptr<const std::string> bytes;  // the serialised message (Any's value)
  uint64_t hash = 0;                         // of bytes; its version
};

// FNV-1a, 64 bits: versions must be the same in every replica and after a restart.
uint64_t content_hash(std::string_view bytes);

class Resources {
 public:
  virtual ~Resources() = default;
  // Every resource of a type that is asked for as a whole (clusters, listeners).
  virtual std::vector<Resource> all(std::string_view type_url) const = 0;
  // One by name; bytes is nullptr where there is none.
  virtual Resource one(std::string_view type_url, std::string_view name) const = 0;
};

// "CDS" for logs and status; the type URL itself where it has no short name.
std::string_view short_type(std::string_view type_url);

}  // namespace sennit::xds

// istio.metadata_exchange for TCP: two proxies that agreed on it by ALPN ("istio-peer-exchange")
// each begin their side of the connection with who they are, before the first byte of the
// application's. On the wire: magic 0x3D230467 and the length of what follows (both 32 bits, big
// endian), then a google.protobuf.Any of google.protobuf.Struct with the workload under
// "x-envoy-peer-metadata" and the node's id under "x-envoy-peer-metadata-id", as Istio's Envoy
// writes it.
#pragma once

#include <memory>
#include <string>

#include "net/buffer.h"
#include "proxy/config/local_node.h"
#include "proxy/telemetry/peer_metadata.h"

namespace sennit::proxy {

// What this proxy says first; the same on every connection.
std::string peer_announcement(const LocalNode& node);

// Reads the peer's announcement. One per connection and direction.
class PeerExchange {
 public:
  enum class Step {
    NeedMore,  // `input` holds a part of it
    Done,      // taken off `input`; peer() is set if it could be understood. Also where `input`
               // does not begin with an announcement: then nothing is taken, as in Envoy
    Refuse,    // longer than kMaxPeerAnnouncement
  };
  Step read(net::Buffer& input);
  const std::shared_ptr<const PeerMetadata>& peer() const { return peer_; }

 private:
  std::shared_ptr<const PeerMetadata> peer_;
};

}  // namespace sennit::proxy

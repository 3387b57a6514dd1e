// One endpoint of a cluster. Immutable but for its health, which the main thread and the workers
// may change (atomics, relaxed). Shared by every worker and by streams in flight.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "net/address.h"
#include "proxy/stats/stats.h"

namespace google::protobuf {
class Struct;
}

namespace sennit::proxy {

struct Locality {
  std::string region, zone, sub_zone;
  auto operator<=>(const Locality&) const = default;
  bool operator==(const Locality&) const = default;
};

class Host {
 public:
  net::Address address;
  std::string hostname;        // for auto host rewrite; may be empty
  Locality locality;
  uint32_t weight = 1;
  uint32_t priority = 0;
  // metadata "envoy.lb": subset keys; "envoy.transport_socket_match": e.g. tlsMode=istio.
  std::map<std::string, std::string> lb_metadata;
  std::map<std::string, std::string> transport_socket_metadata;
  // metadata "istio": "workload" = "name;namespace;canonical-name;canonical-revision;cluster".
  std::string istio_workload;

  // Which of the cluster's transport sockets this host gets (resolved when the cluster is built).
  size_t transport_socket_index = 0;

  bool healthy() const { return health_flags.load(std::memory_order_relaxed) == 0; }
  enum HealthFlag : uint32_t {
    kFailedActiveCheck = 1,
    kEjectedByOutlier = 2,
    kEdsUnhealthy = 4,
    kEdsDraining = 8,
    kEdsDegraded = 16,  // still drawn, after the healthy ones
  };
  mutable std::atomic<uint32_t> health_flags{0};
  mutable std::atomic<uint32_t> active_requests{0};  // over all workers, for least request
};

using HostPtr = std::shared_ptr<const Host>;

}  // namespace sennit::proxy

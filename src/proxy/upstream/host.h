// One endpoint of a cluster. Immutable but for its health, weight and numbers, which the main
// thread and the workers may change (atomics, relaxed). Shared by every worker and by streams in
// flight; it outlives its membership in the cluster for as long as someone holds it.
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

// Per-host numbers for /clusters, over all workers.
struct HostNumbers {
  std::atomic<uint64_t> rq_total{0}, rq_success{0}, rq_error{0}, rq_timeout{0}, cx_total{0},
      cx_connect_fail{0};
  std::atomic<uint32_t> cx_active{0};
};

// What outlier detection counts on the workers between its decisions on the main thread.
struct OutlierCounters {
  std::atomic<uint32_t> consecutive_5xx{0}, consecutive_gateway_failure{0},
      consecutive_local_origin_failure{0};
  // Of the current interval; [0] answers (or everything where origins are not split), [1] local.
  std::atomic<uint32_t> requests[2]{}, successes[2]{};
};

class Host {
 public:
  net::Address address;
  std::string hostname;  // for auto host rewrite; may be empty
  Locality locality;
  mutable std::atomic<uint32_t> weight{1};
  mutable std::atomic<uint32_t> priority{0};
  // metadata "envoy.lb": subset keys; "envoy.transport_socket_match": e.g. tlsMode=istio.
  std::map<std::string, std::string> lb_metadata;
  std::map<std::string, std::string> transport_socket_metadata;
  // metadata "istio": "workload" = "name;namespace;canonical-name;canonical-revision;cluster".
  std::string istio_workload;

  // Which of the cluster's transport sockets this host gets (resolved when the cluster is built).
  size_t transport_socket_index = 0;

  // May be drawn: nothing but kEdsDegraded is set.
  bool healthy() const {
    return (health_flags.load(std::memory_order_relaxed) & ~uint32_t{kEdsDegraded}) == 0;
  }
  bool degraded() const { return health_flags.load(std::memory_order_relaxed) == kEdsDegraded; }
  enum HealthFlag : uint32_t {
    kFailedActiveCheck = 1,
    kEjectedByOutlier = 2,
    kEdsUnhealthy = 4,
    kEdsDraining = 8,
    kEdsDegraded = 16,         // still drawn, after the healthy ones
    kPendingActiveCheck = 32,  // new, and its first health check has not answered
  };
  mutable std::atomic<uint32_t> health_flags{0};
  mutable std::atomic<uint32_t> active_requests{0};  // over all workers, for least request
  mutable HostNumbers numbers;
  mutable OutlierCounters outlier;
};

using HostPtr = std::shared_ptr<const Host>;

}  // namespace sennit::proxy

// Discovery calls as gRPC over HTTP/2 on a cluster of the bootstrap (envoy_grpc), through the main
// thread's own view of the clusters: so TLS, unix sockets and DNS are the cluster's affair.
#pragma once

#include "proxy/upstream/cluster_manager.h"
#include "proxy/xds/transport.h"

namespace sennit::proxy {

// A message that is larger ends the call. Istio's largest meshes send tens of megabytes.
inline constexpr size_t kMaxDiscoveryMessage = 256 * 1024 * 1024;

class ClusterTransport final : public DiscoveryTransport {
 public:
  explicit ClusterTransport(WorkerClusters& clusters) : clusters_(clusters) {}
  std::unique_ptr<Call> open(const std::string& cluster, const std::string& method,
                             CallCallbacks& callbacks) override;

 private:
  WorkerClusters& clusters_;
};

}  // namespace sennit::proxy

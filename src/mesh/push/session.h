// One proxy's xDS stream, apart from its transport: takes requests, answers them from the mesh as
// it is, and pushes when the mesh changes. Thread-safe: requests come from the gRPC thread of the
// stream, pushes from the push threads; a mutex serialises them.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <variant>

#include "mesh/model/mesh.h"
#include "mesh/model/proxy.h"
#include "mesh/push/resources.h"
#include "xds/watch.h"

namespace sennit::mesh {

using xds::DeltaDiscoveryRequest;
using xds::DeltaDiscoveryResponse;
using xds::DiscoveryRequest;
using xds::DiscoveryResponse;

struct PushCounters {
  std::atomic<uint64_t> responses{0}, response_bytes{0}, rejections{0}, pushes{0};
};

class Session {
 public:
  // Sends one response; called under the session's lock, must not block or call back.
  using Response = std::variant<DiscoveryResponse, DeltaDiscoveryResponse>;
  using Send = std::function<void(Response)>;
  // Makes the resources of this proxy in `mesh`.
  using MakeResources =
      std::function<std::unique_ptr<xds::Resources>(const Mesh& mesh, const Proxy& proxy)>;

  Session(Send send, MakeResources make_resources, std::shared_ptr<const Mesh> mesh,
          PushCounters& counters);

  // The first request of a stream carries the node. An error ends the stream with its message.
  Status on_request(const DiscoveryRequest& request);
  Status on_request(const DeltaDiscoveryRequest& request);

  // Sends what differs in `mesh`, in make-before-break order.
  void push(std::shared_ptr<const Mesh> mesh, const ChangeSummary& change);

  // The proxy, once the first request has come.
  std::shared_ptr<const Proxy> proxy() const;
  // The transport is gone: nothing is sent from now on.
  void close();

  // For `sennit status` and /debug/syncz.
  struct TypeStatus {
    std::string type;
    size_t resources = 0;
    bool acknowledged = false;
    std::string rejection;
  };
  struct Snapshot {
    std::shared_ptr<const Proxy> proxy;
    std::string user_agent, admin_address;
    bool delta = false;
    std::chrono::system_clock::time_point connected;
    std::vector<TypeStatus> types;
  };
  Snapshot status() const;

 private:
  template <typename Request>
  Status handle(const Request& request);
  Status identify(const envoy::config::core::v3::Node& node);
  xds::Watch& watch(const std::string& type_url);
  void respond(xds::Watch& watch, const xds::Resources& resources,
               const xds::Watch::Demand& demand);
  void note_rejection(const xds::Watch& watch, uint64_t before);

  mutable std::mutex mutex_;
  Send send_;
  MakeResources make_resources_;
  std::shared_ptr<const Mesh> mesh_;
  PushCounters& counters_;
  std::shared_ptr<const Proxy> proxy_;
  std::string user_agent_, admin_address_;
  std::chrono::system_clock::time_point connected_ = std::chrono::system_clock::now();
  bool delta_ = false, closed_ = false;
  std::map<std::string, xds::Watch, std::less<>> watches_;
};

}  // namespace sennit::mesh

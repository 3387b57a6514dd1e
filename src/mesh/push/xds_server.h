// The xDS server: ADS over gRPC, state of the world and delta, on a plaintext port and on a
// mutual-TLS port that also has the certificate service. Proxies connect, and are pushed to when
// `set_mesh` brings a new snapshot. Thread-safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "mesh/push/session.h"

namespace sennit::mesh {

// Told when a proxy's stream begins (its node is known) and ends. From gRPC's threads.
class ConnectionObserver {
 public:
  virtual void on_connected(const std::shared_ptr<const Proxy>& proxy) = 0;
  virtual void on_disconnected(const std::shared_ptr<const Proxy>& proxy) = 0;

 protected:
  ~ConnectionObserver() = default;
};

class XdsServer {
 public:
  struct Options {
    size_t push_threads = 2;
    Session::MakeResources make_resources;  // translation, if empty
    // With it, a stream over TLS must be of the identity that its certificate proves.
    std::string trust_domain;
  };
  XdsServer(Options options, std::shared_ptr<const Mesh> mesh, ConnectionObserver& observer);
  ~XdsServer();

  // The gRPC service to add to a server builder. One per port: `secure` says whether peers have
  // proved who they are.
  grpc::Service& service(bool secure);

  // A new snapshot: every connected proxy gets what differs for it, looking only at what `change`
  // says may.
  void set_mesh(std::shared_ptr<const Mesh> mesh, const ChangeSummary& change);

  std::vector<Session::Snapshot> sessions() const;
  const PushCounters& counters() const { return counters_; }
  // True when no push is waiting or running.
  bool idle() const;

  // Ends all streams; for shutdown, before the gRPC server's own.
  void shutdown();

  struct Impl;

 private:
  friend struct Impl;
  Options options_;
  ConnectionObserver& observer_;
  PushCounters counters_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sennit::mesh

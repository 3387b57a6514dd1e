// Listeners: what to accept on, how to tell connections apart (filter chains by destination, SNI,
// ALPN, source, transport protocol), and what serves them. ListenerConfig is compiled on the main
// thread from an LDS or bootstrap resource; each worker runs a WorkerListener of its own.
#pragma once

#include <envoy/config/listener/v3/listener.pb.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "net/address.h"
#include "proxy/filter/registry.h"
#include "proxy/stream/http_connection_manager.h"
#include "proxy/tls/transport_sockets.h"

namespace sennit::proxy {

struct ListenerBuildContext {
  stats::Registry& stats;
  const LocalNode& node;
  SecretManager& secrets;
};

class ListenerConfig {
 public:
  // Errors name the field by its full path ("filter_chains[1].filters[0].typed_config: ...").
  static Result<std::shared_ptr<const ListenerConfig>> create(
      const envoy::config::listener::v3::Listener& listener, ListenerBuildContext& context);
  virtual ~ListenerConfig() = default;

  virtual const std::string& name() const = 0;
  virtual const net::Address& address() const = 0;
  virtual bool bind_to_port() const = 0;  // false: reached only by original-destination hand-off
  virtual bool reuse_port() const = 0;
  virtual TrafficDirection direction() const = 0;
  // RDS names that its filter chains need; the listener is warm when each has come once.
  virtual const std::vector<std::string>& rds_names() const = 0;
};

// Opens and binds the socket (SO_REUSEPORT where asked), listening. Main thread, before workers
// are told. An error says which address and why ("address already in use: is another proxy
// running?").
Result<UniqueFd> open_listen_socket(const ListenerConfig& config);

// One socket for each of `workers`: with reuse_port each a socket of its own to which the kernel
// deals connections, otherwise duplicates of one. Port 0 gives all of them the same port.
Result<std::vector<UniqueFd>> open_listen_sockets(const ListenerConfig& config, size_t workers);

// All listeners of one worker. Worker thread only.
class WorkerListeners {
 public:
  virtual ~WorkerListeners() = default;
  // Adds or replaces by name. On replacement, connections of the old configuration go on and are
  // drained (HTTP: GOAWAY / connection: close) within `drain_time`; the socket is kept if the
  // address is the same (`fd` is then -1).
  virtual void apply(std::shared_ptr<const ListenerConfig> config, UniqueFd fd) = 0;
  virtual void remove(const std::string& name) = 0;
  // Graceful: no new connections after `stop_accepting`, existing ones drain.
  virtual void drain_all(bool stop_accepting) = 0;
  virtual size_t connection_count() const = 0;
};
std::unique_ptr<WorkerListeners> make_worker_listeners(WorkerContext& worker,
                                                       std::chrono::seconds drain_time);

}  // namespace sennit::proxy

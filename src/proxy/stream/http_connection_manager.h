// envoy.filters.network.http_connection_manager: the life of requests on a downstream connection.
// HcmConfig is compiled once on the main thread; serve_http makes one instance per connection, on
// the worker's thread. Route tables from RDS reach it through RouteProvider, one per worker.
#pragma once

#include <envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h>

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/connection.h"
#include "proxy/filter/registry.h"
#include "proxy/route/route_table.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {

class HcmConfig {
 public:
  static Result<std::shared_ptr<const HcmConfig>> create(
      const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager&
          config,
      const FilterBuildContext& context);
  virtual ~HcmConfig() = default;
  // The RDS name, or empty with an inline route table.
  virtual const std::string& rds_name() const = 0;
  virtual const std::shared_ptr<const RouteTable>& inline_routes() const = 0;
};

// The worker's current route table by RDS name. nullptr while it has not come (404 NR meanwhile).
class RouteProvider {
 public:
  virtual ~RouteProvider() = default;
  virtual std::shared_ptr<const RouteTable> routes(const std::string& rds_name) = 0;
};

// What one worker gives everything that runs on it.
struct WorkerContext {
  net::EventLoop& loop;
  WorkerClusters& clusters;
  RouteProvider& routes;
  stats::Shard& stats;
};

// A connection being served, whatever serves it (HTTP, TCP proxy). Owned by the listener.
class ServedConnection : public net::DeferredDeletable {
 public:
  // Graceful drain: finish what is in flight, take no more, then close.
  virtual void drain() = 0;
  // Immediately.
  virtual void close() = 0;
};

// Takes over `connection`. `on_done` is called once, last, when it is finished; the caller then
// destroys the object by defer_delete.
std::unique_ptr<ServedConnection> serve_http(std::shared_ptr<const HcmConfig> config,
                                             std::unique_ptr<net::Connection> connection,
                                             std::shared_ptr<DownstreamInfo> downstream,
                                             WorkerContext& worker, std::function<void()> on_done);

}  // namespace sennit::proxy

// The main thread's half of listeners and route tables: takes Listener and RouteConfiguration
// resources, compiles them, keeps a listener warming until its routes have come, and hands both to
// the workers, routes first. A new configuration that does not compile leaves the last one serving.
#pragma once

#include <envoy/admin/v3/config_dump.pb.h>
#include <envoy/config/listener/v3/listener.pb.h>
#include <envoy/config/route/v3/route.pb.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/listener/listener.h"
#include "proxy/server/worker.h"

namespace sennit::proxy {

class ListenerManager {
 public:
  ListenerManager(ListenerBuildContext context, std::vector<std::unique_ptr<Worker>>& workers,
                  stats::Shard& shard);

  // Listeners are bound as they come, but serve only from here on (when clusters are warm).
  void start_serving();

  Status apply(const envoy::config::listener::v3::Listener& listener, const std::string& version,
               bool is_static);
  void remove(const std::string& name);
  std::vector<std::string> dynamic_names() const;

  Status apply_routes(const envoy::config::route::v3::RouteConfiguration& routes,
                      const std::string& version);
  void remove_routes(const std::string& name);
  // RDS names that listeners need, sorted; `changed` is called when they may have changed.
  std::vector<std::string> rds_names() const;
  void on_rds_names_changed(std::function<void()> changed) { rds_changed_ = std::move(changed); }

  bool warming() const;
  // Waits for no more routes: what is warming serves without them (404 until they come).
  void end_warming();

  struct Active {
    std::string name;
    std::vector<net::Address> addresses;
  };
  std::vector<Active> active() const;  // GET /listeners
  envoy::admin::v3::ListenersConfigDump dump_listeners() const;
  envoy::admin::v3::RoutesConfigDump dump_routes() const;

 private:
  using Time = std::chrono::system_clock::time_point;
  struct Version {
    std::shared_ptr<const ListenerConfig> config;
    envoy::config::listener::v3::Listener proto;
    std::string version;
    Time updated;
    std::vector<UniqueFd> sockets;  // one per worker; empty: the workers have theirs already
  };
  struct Entry {
    std::optional<Version> active, warming;
    bool is_static = false;
  };
  struct Routes {
    std::shared_ptr<const RouteTable> table;
    envoy::config::route::v3::RouteConfiguration proto;
    std::string version;
    Time updated;
  };

  Result<std::vector<UniqueFd>> open_sockets(const std::string& name, const Entry* existing,
                                             const ListenerConfig& config) const;
  bool has_routes(const ListenerConfig& config) const;
  void promote_ready();
  void promote(Entry& entry);
  void count();

  ListenerBuildContext context_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  stats::Shard& shard_;
  stats::GaugeId active_gauge_, warming_gauge_;
  stats::CounterId added_, modified_, removed_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, Routes> routes_;
  std::function<void()> rds_changed_;
  bool serving_ = false;
};

}  // namespace sennit::proxy

// A worker: one thread with an event loop, its view of the clusters, its listeners and its route
// tables. The main thread talks to it by posting; nothing else is shared.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "net/event_loop.h"
#include "proxy/listener/listener.h"
#include "proxy/stream/http_connection_manager.h"
#include "proxy/upstream/cluster_manager_main.h"

namespace sennit::proxy {

// The worker's current tables by RDS name.
class WorkerRoutes final : public RouteProvider {
 public:
  std::shared_ptr<const RouteTable> routes(const std::string& rds_name) override {
    const auto found = tables_.find(rds_name);
    return found == tables_.end() ? nullptr : found->second;
  }
  void set(const std::string& rds_name, std::shared_ptr<const RouteTable> table) {
    if (table) {
      tables_[rds_name] = std::move(table);
    } else {
      tables_.erase(rds_name);
    }
  }

 private:
  std::unordered_map<std::string, std::shared_ptr<const RouteTable>> tables_;
};

class Worker {
 public:
  Worker(ClusterManager& clusters, stats::Registry& registry, std::chrono::seconds drain_time);
  // The thread must have been joined.
  ~Worker();

  void start(size_t index);
  void stop();  // any thread
  void join();

  // All of these: any thread; they take effect on the worker's loop, in order.
  void apply_listener(std::shared_ptr<const ListenerConfig> config, UniqueFd fd);
  void remove_listener(const std::string& name);
  void set_routes(const std::string& rds_name, std::shared_ptr<const RouteTable> table);
  void drain_all(bool stop_accepting);
  // Asks for the number of connections; `connections` has it a moment later.
  void count_connections();
  size_t connections() const { return connections_.load(); }

 private:
  void run();

  net::EventLoop loop_;
  stats::Shard& shard_;
  WorkerRoutes routes_;
  WorkerContext context_;
  const std::chrono::seconds drain_time_;
  std::unique_ptr<WorkerListeners> listeners_;
  std::atomic<size_t> connections_{SIZE_MAX};  // not known yet
  std::thread thread_;
};

}  // namespace sennit::proxy

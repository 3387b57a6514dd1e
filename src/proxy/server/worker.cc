#include "proxy/server/worker.h"

#include <pthread.h>

namespace sennit::proxy {

Worker::Worker(ClusterManager& clusters, stats::Registry& registry, std::chrono::seconds drain_time)
    : shard_(registry.new_shard()),
      context_{loop_, clusters.add_worker(loop_, shard_), routes_, shard_},
      drain_time_(drain_time) {}

Worker::~Worker() = default;

void Worker::start(size_t index) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), fmt::format("wrk:{}", index).c_str());
}

void Worker::run() {
  listeners_ = make_worker_listeners(context_, drain_time_);
  loop_.run();
  listeners_.reset();
}

void Worker::stop() {
  loop_.stop();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::apply_listener(std::shared_ptr<const ListenerConfig> config, UniqueFd fd) {
  // A posted task must be copyable: the descriptor goes behind a pointer.
  auto shared = std::make_shared<UniqueFd>(std::move(fd));
  loop_.post([this, config = std::move(config), shared] {
    listeners_->apply(config, std::move(*shared));
  });
}

void Worker::remove_listener(const std::string& name) {
  loop_.post([this, name] { listeners_->remove(name); });
}

void Worker::set_routes(const std::string& rds_name, std::shared_ptr<const RouteTable> table) {
  loop_.post([this, rds_name, table = std::move(table)] { routes_.set(rds_name, table); });
}

void Worker::drain_all(bool stop_accepting) {
  loop_.post([this, stop_accepting] { listeners_->drain_all(stop_accepting); });
}

void Worker::count_connections() {
  loop_.post([this] { connections_.store(listeners_->connection_count()); });
}

}  // namespace sennit::proxy

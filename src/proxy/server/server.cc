#include "proxy/server/server.h"

#include <malloc.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/log.h"
#include "proxy/admin/admin_server.h"
#include "proxy/admin/endpoints.h"
#include "proxy/config/local_node.h"
#include "proxy/server/config_updates.h"
#include "proxy/server/discovery.h"
#include "proxy/server/listener_manager.h"
#include "proxy/server/worker.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/xds/cluster_transport.h"

namespace sennit::proxy {
namespace {

using envoy::admin::v3::ServerInfo;

// How long streams in flight may go on after SIGTERM, whatever --drain-time-s says: whoever sent it
// will not wait for ever (Kubernetes: 30 s).
constexpr std::chrono::seconds kMaxShutdownDrain{5};
constexpr net::Milliseconds kDrainPoll{20};

Result<net::Address> address_of(const envoy::config::core::v3::Address& address) {
  if (address.has_pipe()) return net::Address::unix_path(address.pipe().path());
  return net::Address::ip(address.socket_address().address(),
                          static_cast<uint16_t>(address.socket_address().port_value()));
}

sigset_t handled_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

struct Server::Impl final : private net::IoHandler {
  Impl(const Options& given, envoy::config::bootstrap::v3::Bootstrap loaded)
      : options(given),
        bootstrap(std::move(loaded)),
        node(make_local_node(bootstrap.node())),
        clusters({loop, registry, main_shard, secrets}),
        main_clusters(clusters.add_worker(loop, main_shard)),
        transport(main_clusters),
        listeners({registry, node, secrets}, workers, main_shard),
        drain_timer(loop, [this] { check_drained(); }),
        clusters_timer(loop, [this] { begin_listeners(); }),
        listeners_timer(loop, [this] { end_initialization(); }) {}

  Status build();
  Status build_static();
  Status build_admin();
  void run();

 private:
  AdminContext admin_context();
  ServerInfo server_info() const;
  DiscoveryConsumers consumers();
  ResourceConsumer noting(ResourceConsumer consumer, bool Impl::*fetched);

  void begin_clusters();
  void check_progress();
  void begin_listeners();
  void end_initialization();
  void set_state(ServerInfo::State next);

  void watch_signals();
  void on_io(uint32_t events) override;
  void shut_down();
  void check_drained();

 public:
  const Options options;
  const envoy::config::bootstrap::v3::Bootstrap bootstrap;
  const LocalNode node;
  net::EventLoop loop;
  stats::Registry registry;
  stats::Shard& main_shard = registry.new_shard();
  SecretManager secrets;
  std::vector<std::unique_ptr<Worker>> workers;  // their loops outlive the cluster manager
  ClusterManager clusters;
  WorkerClusters& main_clusters;
  ClusterTransport transport;
  ListenerManager listeners;
  std::unique_ptr<Discovery> discovery;
  std::unique_ptr<AdminServer> admin;
  UniqueFd signal_fd;
  net::Timer drain_timer, clusters_timer, listeners_timer;
  net::TimePoint drain_deadline;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  ServerInfo::State state = ServerInfo::PRE_INITIALIZING;
  bool clusters_fetched = false, listeners_fetched = false;
  bool serving = false;  // listeners were let loose
  std::vector<std::pair<std::string, envoy::config::core::v3::ConfigSource>> early_secrets;
};

Status Server::Impl::build() {
  for (const auto& secret : bootstrap.static_resources().secrets()) secrets.add_static(secret);
  for (uint32_t i = 0; i < options.concurrency; ++i) {
    workers.push_back(std::make_unique<Worker>(clusters, registry, options.drain_time));
  }
  discovery = std::make_unique<Discovery>(loop, transport, bootstrap, node.node, registry,
                                          main_shard, consumers());
  secrets.set_subscriber(
      [this](const std::string& name, const envoy::config::core::v3::ConfigSource& source) {
        // The cluster that serves secrets may be built after the one that needs them.
        if (state == ServerInfo::PRE_INITIALIZING) {
          early_secrets.emplace_back(name, source);
        } else {
          discovery->add_secret(name, source);
        }
      });
  if (auto ok = build_static(); !ok) return ok;
  return options.validate_only ? Status() : build_admin();
}

Status Server::Impl::build_static() {
  const auto& resources = bootstrap.static_resources();
  for (int i = 0; i < resources.clusters_size(); ++i) {
    const auto ok = clusters.apply(resources.clusters(i), "", ClusterManager::Origin::Static);
    if (!ok) {
      return std::unexpected(ok.error().within(fmt::format("static_resources.clusters[{}]", i)));
    }
  }
  for (int i = 0; i < resources.listeners_size(); ++i) {
    const auto ok = listeners.apply(resources.listeners(i), "", true);
    if (!ok) {
      return std::unexpected(ok.error().within(fmt::format("static_resources.listeners[{}]", i)));
    }
  }
  return {};
}

Status Server::Impl::build_admin() {
  if (!bootstrap.admin().has_address()) return {};
  auto address = address_of(bootstrap.admin().address());
  if (!address) return std::unexpected(address.error().within("admin.address"));
  auto created = AdminServer::create(loop, *address, admin_handlers(admin_context()));
  if (!created) return std::unexpected(created.error());
  admin = std::move(*created);
  if (options.admin_address_path.empty()) return {};
  std::ofstream file(options.admin_address_path);
  if (!(file << admin->address().to_string())) {
    return fail("--admin-address-path {}: cannot be written", options.admin_address_path);
  }
  return {};
}

// Once a type's first answer has come (good or not), initialization goes on.
ResourceConsumer Server::Impl::noting(ResourceConsumer consumer, bool Impl::*fetched) {
  return [this, consumer = std::move(consumer), fetched](const ResourceUpdate& update) {
    const Status outcome = consumer(update);
    this->*fetched = true;
    loop.post([this] {
      check_progress();
      malloc_trim(0);  // what parsing needed is not needed again soon
    });
    return outcome;
  };
}

DiscoveryConsumers Server::Impl::consumers() {
  return {noting(cluster_consumer(clusters), &Impl::clusters_fetched), endpoint_consumer(clusters),
          noting(listener_consumer(listeners), &Impl::listeners_fetched),
          [this, routes = route_consumer(listeners)](const ResourceUpdate& update) {
            const Status outcome = routes(update);
            loop.post([this] { check_progress(); });
            return outcome;
          },
          [this, secrets = secret_consumer(secrets)](const ResourceUpdate& update) {
            const Status outcome = secrets(update);
            // A management server may have been out of reach for want of them.
            loop.post([this] { discovery->retry_now(); });
            return outcome;
          }};
}

void Server::Impl::set_state(ServerInfo::State next) {
  state = next;
  main_shard.set(registry.gauge({"server.state", "", {}}), next);
  main_shard.set(registry.gauge({"server.live", "", {}}), next == ServerInfo::LIVE);
}

void Server::Impl::begin_clusters() {
  set_state(ServerInfo::INITIALIZING);
  main_shard.set(registry.gauge({"server.concurrency", "", {}}), options.concurrency);
  clusters.on_eds_names_changed([this] {
    discovery->set_endpoint_names(clusters.eds_names());
    check_progress();
  });
  clusters.on_warmed([this](const std::string&) { check_progress(); });
  listeners.on_rds_names_changed(
      [this] { loop.post([this] { discovery->set_route_names(listeners.rds_names()); }); });
  for (const auto& [name, source] : early_secrets) discovery->add_secret(name, source);
  early_secrets.clear();
  discovery->start_clusters();
  discovery->set_endpoint_names(clusters.eds_names());
  const auto timeout = discovery->clusters_timeout();
  if (discovery->has_clusters() && timeout.count() > 0) clusters_timer.enable(timeout);
  check_progress();
}

void Server::Impl::check_progress() {
  const bool clusters_done = !discovery->has_clusters() || clusters_fetched;
  if (!serving && clusters_done && clusters.warming().empty()) begin_listeners();
  if (!serving) return;
  const bool listeners_done = !discovery->has_listeners() || listeners_fetched;
  if (state == ServerInfo::INITIALIZING && listeners_done && !listeners.warming()) {
    end_initialization();
  }
}

void Server::Impl::begin_listeners() {
  if (serving) return;
  serving = true;
  clusters_timer.disable();
  discovery->set_route_names(listeners.rds_names());
  listeners.start_serving();
  discovery->start_listeners();
  const auto timeout = discovery->listeners_timeout();
  if (discovery->has_listeners() && timeout.count() > 0) listeners_timer.enable(timeout);
  check_progress();
}

void Server::Impl::end_initialization() {
  listeners_timer.disable();
  if (state != ServerInfo::INITIALIZING) return;
  listeners.end_warming();
  set_state(ServerInfo::LIVE);
  log::info("server", "live: {} workers", workers.size());
  malloc_trim(0);
}

void Server::Impl::watch_signals() {
  const sigset_t signals = handled_signals();
  signal_fd.reset(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  loop.add(signal_fd.get(), EPOLLIN, this);
}

void Server::Impl::on_io(uint32_t) {
  signalfd_siginfo info;
  while (read(signal_fd.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGUSR1) {
      reopen_access_logs();
    } else if (state == ServerInfo::DRAINING && drain_timer.enabled()) {
      loop.stop();  // asked twice
    } else {
      log::info("server", "signal {}: shutting down", info.ssi_signo);
      shut_down();
    }
  }
}

void Server::Impl::shut_down() {
  if (drain_timer.enabled()) return;
  set_state(ServerInfo::DRAINING);
  drain_deadline = net::Clock::now() + std::min(options.drain_time, kMaxShutdownDrain);
  for (auto& worker : workers) {
    worker->drain_all(true);
    worker->count_connections();
  }
  drain_timer.enable(net::Milliseconds(1));
}

void Server::Impl::check_drained() {
  bool idle = true;
  for (auto& worker : workers) {
    idle = idle && worker->connections() == 0;
    worker->count_connections();
  }
  if (idle || net::Clock::now() >= drain_deadline) return loop.stop();
  drain_timer.enable(kDrainPoll);
}

void Server::Impl::run() {
  watch_signals();
  for (size_t i = 0; i < workers.size(); ++i) workers[i]->start(i);
  loop.post([this] { begin_clusters(); });
  loop.run();
  for (auto& worker : workers) worker->stop();
  for (auto& worker : workers) worker->join();
  loop.remove(signal_fd.get());
  flush_access_logs();
}

ServerInfo Server::Impl::server_info() const {
  ServerInfo info;
  info.set_version("sennit-proxy/" SENNIT_VERSION);
  info.set_state(state);
  const auto uptime = std::chrono::steady_clock::now() - started;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(uptime).count();
  info.mutable_uptime_current_epoch()->set_seconds(seconds);
  info.mutable_uptime_all_epochs()->set_seconds(seconds);
  auto* command = info.mutable_command_line_options();
  command->set_concurrency(options.concurrency);
  command->set_config_path(options.bootstrap.path);
  command->set_config_yaml(options.bootstrap.yaml);
  command->set_log_level(options.log_level);
  command->mutable_drain_time()->set_seconds(options.drain_time.count());
  *info.mutable_node() = node.node;
  return info;
}

AdminContext Server::Impl::admin_context() {
  AdminContext context{registry, clusters, secrets};
  context.server_info = [this] { return server_info(); };
  context.listeners = [this] {
    std::vector<std::pair<std::string, net::Address>> pairs;
    for (const auto& listener : listeners.active()) {
      for (const auto& address : listener.addresses) pairs.emplace_back(listener.name, address);
    }
    return pairs;
  };
  context.config_dumps = [this] {
    std::vector<std::unique_ptr<google::protobuf::Message>> parts;
    auto own = std::make_unique<envoy::admin::v3::BootstrapConfigDump>();
    *own->mutable_bootstrap() = bootstrap;
    parts.push_back(std::move(own));
    parts.push_back(
        std::make_unique<envoy::admin::v3::ListenersConfigDump>(listeners.dump_listeners()));
    parts.push_back(std::make_unique<envoy::admin::v3::RoutesConfigDump>(listeners.dump_routes()));
    return parts;
  };
  context.set_log_level = set_log_level;
  context.drain_listeners = [this](bool) {
    for (auto& worker : workers) worker->drain_all(true);
  };
  // After the answer has gone out.
  context.quit = [this] { loop.post([this] { shut_down(); }); };
  return context;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::create(const Options& options) {
  auto bootstrap = load_bootstrap(options.bootstrap);
  if (!bootstrap) return std::unexpected(bootstrap.error());
  auto impl = std::make_unique<Impl>(options, std::move(*bootstrap));
  const auto built = impl->build();
  if (!built) {
    const auto& path = options.bootstrap.path;
    return std::unexpected(built.error().within(path.empty() ? "--config-yaml" : path));
  }
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::run() {
  impl_->run();
}

}  // namespace sennit::proxy

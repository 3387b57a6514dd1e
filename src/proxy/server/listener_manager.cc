#include "proxy/server/listener_manager.h"

#include <fcntl.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <set>

#include "base/log.h"

namespace sennit::proxy {
namespace {

using google::protobuf::util::MessageDifferencer;

google::protobuf::Timestamp timestamp(std::chrono::system_clock::time_point time) {
  return google::protobuf::util::TimeUtil::MillisecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

}  // namespace

ListenerManager::ListenerManager(ListenerBuildContext context,
                                 std::vector<std::unique_ptr<Worker>>& workers, stats::Shard& shard)
    : context_(context),
      workers_(workers),
      shard_(shard),
      active_gauge_(context.stats.gauge({"listener_manager.total_listeners_active", "", {}})),
      warming_gauge_(context.stats.gauge({"listener_manager.total_listeners_warming", "", {}})),
      added_(context.stats.counter({"listener_manager.listener_added", "", {}})),
      modified_(context.stats.counter({"listener_manager.listener_modified", "", {}})),
      removed_(context.stats.counter({"listener_manager.listener_removed", "", {}})) {}

Result<std::vector<UniqueFd>> ListenerManager::open_sockets(const std::string& name,
                                                            const Entry* existing,
                                                            const ListenerConfig& config) const {
  std::vector<UniqueFd> sockets;
  if (!config.bind_to_port()) return sockets;
  if (existing && existing->active && existing->active->config->bind_to_port() &&
      existing->active->config->address() == config.address()) {
    return sockets;
  }
  for (const auto& [other_name, other] : entries_) {
    const auto& version = other.active ? other.active : other.warming;
    if (other_name == name || !version || !version->config->bind_to_port()) continue;
    if (config.address().port() != 0 && version->config->address() == config.address()) {
      return fail("address: {} is already that of listener {}", config.address().to_string(),
                  other_name);
    }
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (i > 0 && !config.reuse_port()) {
      sockets.emplace_back(fcntl(sockets.front().get(), F_DUPFD_CLOEXEC, 0));
      continue;
    }
    auto socket = open_listen_socket(config);
    if (!socket) return std::unexpected(socket.error());
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

Status ListenerManager::apply(const envoy::config::listener::v3::Listener& listener,
                              const std::string& version, bool is_static) {
  const std::string name = listener.name().empty() ? "(unnamed)" : listener.name();
  const auto found = entries_.find(name);
  Entry* existing = found == entries_.end() ? nullptr : &found->second;
  if (existing && existing->is_static && !is_static) {
    return fail("listener {}: is static: discovery may not change it", name);
  }
  if (existing) {
    auto& newest = existing->warming ? existing->warming : existing->active;
    if (newest && MessageDifferencer::Equals(newest->proto, listener)) {
      newest->version = version;
      return {};
    }
  }
  auto config = ListenerConfig::create(listener, context_);
  if (!config) return std::unexpected(config.error().within("listener " + name));
  auto sockets = open_sockets(name, existing, **config);
  if (!sockets) return std::unexpected(sockets.error().within("listener " + name));
  Entry& entry = entries_[name];
  entry.is_static = is_static;
  shard_.inc(entry.active ? modified_ : added_);
  entry.warming =
      Version{*config, listener, version, std::chrono::system_clock::now(), std::move(*sockets)};
  promote_ready();
  if (rds_changed_) rds_changed_();
  return {};
}

void ListenerManager::start_serving() {
  serving_ = true;
  promote_ready();
}

bool ListenerManager::has_routes(const ListenerConfig& config) const {
  return std::ranges::all_of(config.rds_names(),
                             [this](const std::string& name) { return routes_.contains(name); });
}

void ListenerManager::promote_ready() {
  for (auto& [name, entry] : entries_) {
    if (serving_ && entry.warming && has_routes(*entry.warming->config)) promote(entry);
  }
  count();
}

void ListenerManager::end_warming() {
  for (auto& [name, entry] : entries_) {
    if (serving_ && entry.warming) promote(entry);
  }
  count();
}

void ListenerManager::promote(Entry& entry) {
  Version& next = *entry.warming;
  for (size_t i = 0; i < workers_.size(); ++i) {
    UniqueFd socket = next.sockets.empty() ? UniqueFd() : std::move(next.sockets[i]);
    workers_[i]->apply_listener(next.config, std::move(socket));
  }
  next.sockets.clear();
  log::info("listener", "{} serves on {}", next.config->name(), next.config->address().to_string());
  entry.active = std::move(entry.warming);
  entry.warming.reset();
}

void ListenerManager::count() {
  shard_.set(active_gauge_,
             std::ranges::count_if(entries_, [](auto& e) { return e.second.active.has_value(); }));
  shard_.set(warming_gauge_,
             std::ranges::count_if(entries_, [](auto& e) { return e.second.warming.has_value(); }));
}

void ListenerManager::remove(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.is_static) return;
  if (found->second.active) {
    for (auto& worker : workers_) worker->remove_listener(name);
  }
  entries_.erase(found);
  shard_.inc(removed_);
  count();
  if (rds_changed_) rds_changed_();
}

std::vector<std::string> ListenerManager::dynamic_names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (!entry.is_static) names.push_back(name);
  }
  return names;
}

Status ListenerManager::apply_routes(const envoy::config::route::v3::RouteConfiguration& routes,
                                     const std::string& version) {
  const auto found = routes_.find(routes.name());
  if (found != routes_.end() && MessageDifferencer::Equals(found->second.proto, routes)) {
    found->second.version = version;
    return {};
  }
  auto table = RouteTable::create(routes);
  if (!table) return std::unexpected(table.error().within("route " + routes.name()));
  routes_[routes.name()] = {*table, routes, version, std::chrono::system_clock::now()};
  for (auto& worker : workers_) worker->set_routes(routes.name(), *table);
  promote_ready();
  return {};
}

void ListenerManager::remove_routes(const std::string& name) {
  if (routes_.erase(name) == 0) return;
  for (auto& worker : workers_) worker->set_routes(name, nullptr);
}

std::vector<std::string> ListenerManager::rds_names() const {
  std::set<std::string> names;
  for (const auto& [name, entry] : entries_) {
    for (const auto* version : {&entry.active, &entry.warming}) {
      if (!*version) continue;
      const auto& needed = (*version)->config->rds_names();
      names.insert(needed.begin(), needed.end());
    }
  }
  return {names.begin(), names.end()};
}

bool ListenerManager::warming() const {
  return std::ranges::any_of(entries_,
                             [](auto& entry) { return entry.second.warming.has_value(); });
}

std::vector<ListenerManager::Active> ListenerManager::active() const {
  std::vector<Active> listeners;
  for (const auto& [name, entry] : entries_) {
    if (entry.active) listeners.push_back({name, {entry.active->config->address()}});
  }
  return listeners;
}

envoy::admin::v3::ListenersConfigDump ListenerManager::dump_listeners() const {
  envoy::admin::v3::ListenersConfigDump dump;
  for (const auto& [name, entry] : entries_) {
    if (entry.is_static) {
      const auto& version = entry.active ? *entry.active : *entry.warming;
      auto* out = dump.add_static_listeners();
      out->mutable_listener()->PackFrom(version.proto);
      *out->mutable_last_updated() = timestamp(version.updated);
      continue;
    }
    auto* out = dump.add_dynamic_listeners();
    out->set_name(name);
    const auto state = [](const Version& version, auto* into) {
      into->set_version_info(version.version);
      into->mutable_listener()->PackFrom(version.proto);
      *into->mutable_last_updated() = timestamp(version.updated);
    };
    if (entry.active) state(*entry.active, out->mutable_active_state());
    if (entry.warming) state(*entry.warming, out->mutable_warming_state());
  }
  return dump;
}

envoy::admin::v3::RoutesConfigDump ListenerManager::dump_routes() const {
  envoy::admin::v3::RoutesConfigDump dump;
  for (const auto& [name, routes] : routes_) {
    auto* out = dump.add_dynamic_route_configs();
    out->set_version_info(routes.version);
    out->mutable_route_config()->PackFrom(routes.proto);
    *out->mutable_last_updated() = timestamp(routes.updated);
  }
  return dump;
}

}  // namespace sennit::proxy

#include "mesh/server/registrar.h"

#include "base/log.h"
#include "mesh/model/mesh.h"

namespace sennit::mesh {

Registrar::Registrar(ConfigStore& store, std::chrono::milliseconds grace)
    : store_(store), grace_(grace), thread_([this] { run(); }) {}

Registrar::~Registrar() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Registrar::on_connected(const std::shared_ptr<const Proxy>& proxy) {
  if (proxy->auto_register_group.empty()) return;
  std::lock_guard lock(mutex_);
  Registration& registration = registrations_[proxy->id];
  ++registration.streams;
  registration.proxy = proxy;
  register_locked(registration);
}

void Registrar::register_locked(Registration& registration) {
  const Proxy& proxy = *registration.proxy;
  ResourcePtr group = store_.find({"WorkloadGroup", proxy.namespace_, proxy.auto_register_group});
  if (!group) {
    log::warn("registry", "{} wants to join WorkloadGroup {}/{}, which does not exist", proxy.id,
              proxy.namespace_, proxy.auto_register_group);
    return;
  }
  auto entry = workload_entry_from_group(*group, proxy);
  if (!entry) {
    log::warn("registry", "cannot register {}: {}", proxy.id, entry.error().message);
    return;
  }
  registration.key = {(*entry)->kind, (*entry)->namespace_, (*entry)->name};
  log::info("registry", "{} registered", (*entry)->display_name());
  store_.register_workload(*entry);
}

void Registrar::on_disconnected(const std::shared_ptr<const Proxy>& proxy) {
  std::lock_guard lock(mutex_);
  auto found = registrations_.find(proxy->id);
  if (found == registrations_.end() || --found->second.streams > 0) return;
  found->second.remove_at = std::chrono::steady_clock::now() + grace_;
  wake_.notify_all();
}

void Registrar::refresh() {
  std::lock_guard lock(mutex_);
  for (auto& [id, registration] : registrations_) {
    // Groups that came after their workloads; changed groups re-register on the next connection.
    if (registration.key.name.empty()) register_locked(registration);
  }
}

void Registrar::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    auto now = std::chrono::steady_clock::now();
    auto next = now + std::chrono::hours(1);
    for (auto item = registrations_.begin(); item != registrations_.end();) {
      Registration& registration = item->second;
      if (registration.streams > 0) {
        ++item;
      } else if (registration.remove_at <= now) {
        log::info("registry", "{} left", item->first);
        store_.unregister_workload(registration.key);
        item = registrations_.erase(item);
      } else {
        next = std::min(next, registration.remove_at);
        ++item;
      }
    }
    wake_.wait_until(lock, next);
  }
}

}  // namespace sennit::mesh

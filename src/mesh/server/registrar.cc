#include "mesh/server/registrar.h"

#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "mesh/api/decode.h"
#include "mesh/model/mesh.h"

namespace sennit::mesh {
namespace {

namespace fs = std::filesystem;

// A resource as it would be written by hand, in JSON.
nlohmann::json to_document(const Resource& resource) {
  std::string spec;
  (void)google::protobuf::util::MessageToJsonString(*resource.spec, &spec);
  return {{"apiVersion", resource.api_version},
          {"kind", resource.kind},
          {"metadata",
           {{"name", resource.name},
            {"namespace", resource.namespace_},
            {"labels", resource.labels},
            {"annotations", resource.annotations}}},
          {"spec", nlohmann::json::parse(spec, nullptr, false)}};
}

}  // namespace

Registrar::Registrar(ConfigStore& store, std::chrono::milliseconds grace, fs::path directory)
    : store_(store), grace_(grace), directory_(std::move(directory)) {
  load();
  thread_ = std::thread([this] { run(); });
}

fs::path Registrar::file_of(const ResourceKey& key) const {
  return directory_ / (key.namespace_ + "." + key.name + ".json");
}

void Registrar::load() {
  std::error_code error;
  fs::create_directories(directory_, error);
  std::lock_guard lock(mutex_);
  for (const auto& file : fs::directory_iterator(directory_, error)) {
    std::ifstream stream(file.path());
    nlohmann::json saved = nlohmann::json::parse(stream, nullptr, false);
    if (!saved.is_object() || !saved.contains("node")) continue;
    Decoded decoded = decode(saved["resource"].dump(), file.path().string());
    if (decoded.resources.size() != 1) continue;
    const ResourcePtr& entry = decoded.resources.front();
    Registration& registration = registrations_[saved["node"].get<std::string>()];
    registration.key = {entry->kind, entry->namespace_, entry->name};
    registration.remove_at = std::chrono::steady_clock::now() + kReturnTime;
    store_.register_workload(entry);
  }
}

void Registrar::save(const std::string& node_id, const Resource& entry) const {
  const fs::path path = file_of({entry.kind, entry.namespace_, entry.name});
  const fs::path fresh = path.string() + ".new";
  std::ofstream(fresh) << nlohmann::json{{"node", node_id}, {"resource", to_document(entry)}}.dump()
                       << "\n";
  std::error_code error;
  fs::rename(fresh, path, error);
  if (error) log::warn("registry", "cannot keep {}: {}", path.string(), error.message());
}

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
  save(proxy.id, **entry);
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
    if (registration.key.name.empty() && registration.proxy) register_locked(registration);
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
        std::error_code ignored;
        fs::remove(file_of(registration.key), ignored);
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

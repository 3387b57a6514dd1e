// Auto-registration: a proxy whose node names a WorkloadGroup (AUTO_REGISTER_GROUP) is a
// WorkloadEntry for as long as its xDS stream lives, and a short while longer, so that a stream
// that breaks and comes back takes no endpoint away. Registrations are kept in a directory, so that
// a control plane that starts again does not tell everyone that the mesh is empty: what was
// registered before stays for `kReturnTime`, in which its proxy comes back or is given up.
// Thread-safe; one thread of its own for the delayed removals.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "mesh/push/xds_server.h"
#include "mesh/server/config_store.h"

namespace sennit::mesh {

class Registrar final : public ConnectionObserver {
 public:
  // Proxies try again at most every 30 s (src/proxy/xds); once and a half that.
  static constexpr std::chrono::seconds kReturnTime{45};

  // `grace`: how long an entry outlives its stream. What `directory` holds is registered at once.
  Registrar(ConfigStore& store, std::chrono::milliseconds grace, std::filesystem::path directory);
  ~Registrar();

  void on_connected(const std::shared_ptr<const Proxy>& proxy) override;
  void on_disconnected(const std::shared_ptr<const Proxy>& proxy) override;
  // A WorkloadGroup changed: entries made from it follow.
  void refresh();

 private:
  struct Registration {
    ResourceKey key;
    std::shared_ptr<const Proxy> proxy;  // nullptr: known from before the control plane started
    int streams = 0;
    std::chrono::steady_clock::time_point remove_at;  // where streams is 0
  };
  void run();
  void load();
  void save(const std::string& node_id, const Resource& entry) const;
  std::filesystem::path file_of(const ResourceKey& key) const;
  void register_locked(Registration& registration);

  ConfigStore& store_;
  const std::chrono::milliseconds grace_;
  const std::filesystem::path directory_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Registration> registrations_;  // by node id
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sennit::mesh

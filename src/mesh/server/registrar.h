// Auto-registration: a proxy whose node names a WorkloadGroup (AUTO_REGISTER_GROUP) is a
// WorkloadEntry for as long as its xDS stream lives, and a short while longer, so that a stream
// that breaks and comes back takes no endpoint away. Thread-safe; one thread of its own for the
// delayed removals.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "mesh/push/xds_server.h"
#include "mesh/server/config_store.h"

namespace sennit::mesh {

class Registrar final : public ConnectionObserver {
 public:
  // `grace`: how long an entry outlives its stream.
  Registrar(ConfigStore& store, std::chrono::milliseconds grace);
  ~Registrar();

  void on_connected(const std::shared_ptr<const Proxy>& proxy) override;
  void on_disconnected(const std::shared_ptr<const Proxy>& proxy) override;
  // A WorkloadGroup changed: entries made from it follow.
  void refresh();

 private:
  struct Registration {
    ResourceKey key;
    std::shared_ptr<const Proxy> proxy;
    int streams = 0;
    std::chrono::steady_clock::time_point remove_at;  // where streams is 0
  };
  void run();
  void register_locked(Registration& registration);

  ConfigStore& store_;
  const std::chrono::milliseconds grace_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Registration> registrations_;  // by node id
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sennit::mesh

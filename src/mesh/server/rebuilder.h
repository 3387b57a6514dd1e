// Makes a new Mesh when configuration changed: waits until changes pause (debounce), builds,
// compares, hands over. One thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "mesh/model/mesh.h"
#include "mesh/server/config_store.h"

namespace sennit::mesh {

class Rebuilder {
 public:
  struct Timing {
    std::chrono::milliseconds quiet, longest;
  };
  using MeshConfigPtr = std::shared_ptr<const api::MeshConfig>;
  using OnMesh = std::function<void(std::shared_ptr<const Mesh>, const ChangeSummary&)>;
  Rebuilder(ConfigStore& store, MeshConfigPtr config, Timing timing, OnMesh on_mesh);
  ~Rebuilder();

  // Any thread: something changed.
  void touch();
  void set_mesh_config(MeshConfigPtr config);
  std::shared_ptr<const Mesh> current() const;
  // Time that the last build took.
  std::chrono::microseconds last_build() const {
    return std::chrono::microseconds(last_build_.load());
  }

 private:
  std::shared_ptr<const Mesh> build();
  void run();

  ConfigStore& store_;
  const Timing timing_;
  OnMesh on_mesh_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  MeshConfigPtr config_;
  std::shared_ptr<const Mesh> mesh_;
  bool dirty_ = false, stopping_ = false;
  std::chrono::steady_clock::time_point first_change_, last_change_;
  std::atomic<int64_t> last_build_{0};
  std::thread thread_;
};

}  // namespace sennit::mesh

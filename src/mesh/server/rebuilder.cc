#include "mesh/server/rebuilder.h"

#include <algorithm>

namespace sennit::mesh {

using std::chrono::steady_clock;

Rebuilder::Rebuilder(ConfigStore& store, MeshConfigPtr config, Timing timing, OnMesh on_mesh)
    : store_(store), timing_(timing), on_mesh_(std::move(on_mesh)), config_(std::move(config)) {
  mesh_ = build();
  thread_ = std::thread([this] { run(); });
}

Rebuilder::~Rebuilder() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::shared_ptr<const Mesh> Rebuilder::build() {
  MeshConfigPtr config;
  std::shared_ptr<const Mesh> previous;
  {
    std::lock_guard lock(mutex_);
    config = config_;
    previous = mesh_;
  }
  const auto begin = steady_clock::now();
  auto mesh = Mesh::build(store_.resources(), config, previous.get());
  last_build_ =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin).count();
  return mesh;
}

void Rebuilder::touch() {
  {
    std::lock_guard lock(mutex_);
    last_change_ = steady_clock::now();
    if (!dirty_) first_change_ = last_change_;
    dirty_ = true;
  }
  wake_.notify_all();
}

void Rebuilder::set_mesh_config(MeshConfigPtr config) {
  {
    std::lock_guard lock(mutex_);
    config_ = std::move(config);
  }
  touch();
}

std::shared_ptr<const Mesh> Rebuilder::current() const {
  std::lock_guard lock(mutex_);
  return mesh_;
}

void Rebuilder::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || dirty_; });
    while (!stopping_) {
      auto due = std::min(last_change_ + timing_.quiet, first_change_ + timing_.longest);
      if (steady_clock::now() >= due) break;
      wake_.wait_until(lock, due);
    }
    if (stopping_) return;
    dirty_ = false;
    auto before = mesh_;
    lock.unlock();
    auto mesh = build();
    ChangeSummary change = summarize(before.get(), *mesh);
    {
      std::lock_guard relock(mutex_);
      mesh_ = mesh;
    }
    if (!change.empty()) on_mesh_(mesh, change);
    lock.lock();
  }
}

}  // namespace sennit::mesh

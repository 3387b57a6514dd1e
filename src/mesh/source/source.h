// A source turns its world (a directory, Kubernetes, etcd, ...) into typed resources and change
// events. Nothing else in the control plane knows where a resource came from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mesh/api/resource.h"

namespace sennit::mesh {

// One batch of changes that became visible together. `removed` names resources by kind/ns/name.
struct ChangeSet {
  std::vector<ResourcePtr> upserted;
  std::vector<ResourceKey> removed;
  std::vector<Diagnostic> diagnostics;  // all that hold now, replacing this source's earlier ones
  bool initial = false;                 // the first, complete reading
};

class Source {
 public:
  virtual ~Source() = default;
  // Reads everything once, calls `on_change` with initial = true from this call, then goes on
  // watching on a thread of its own and calls `on_change` from there, one call at a time.
  virtual void start(std::function<void(ChangeSet)> on_change) = 0;
  virtual void stop() = 0;
};

}  // namespace sennit::mesh

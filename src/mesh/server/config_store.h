// All configuration in force: what the sources say, what `sennit apply` put on top, and the
// workloads that registered themselves. Thread-safe; tells its listener after each change.
//
// Precedence for one kind/namespace/name: registered workloads, then applied resources, then the
// sources in the order in which they were added. Editing a source's copy of an applied resource
// ends the applied one: the last word wins.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mesh/api/resource.h"
#include "mesh/source/source.h"

namespace sennit::mesh {

class ConfigStore {
 public:
  // `applied`: a directory where applied resources are kept over restarts; made if need be.
  explicit ConfigStore(std::filesystem::path applied);

  void set_listener(std::function<void()> on_change);
  // Reads what was applied before. An unreadable file is logged and passed over.
  void load_applied();

  // From a source's callback; `source` is its index.
  void update(size_t source, ChangeSet changes);

  struct Applied {
    std::vector<std::string> names;  // "VirtualService default/reviews", in order
    std::vector<Diagnostic> diagnostics;
    bool ok = false;  // nothing is taken unless all of it is good
  };
  Applied apply(const std::string& yaml);

  void register_workload(ResourcePtr entry);
  void unregister_workload(const ResourceKey& key);

  std::vector<ResourcePtr> resources() const;
  ResourcePtr find(const ResourceKey& key) const;
  std::vector<Diagnostic> diagnostics() const;

 private:
  using Layer = std::map<ResourceKey, ResourcePtr>;
  struct SourceState {
    Layer resources;
    std::vector<Diagnostic> diagnostics;
  };
  std::filesystem::path applied_file(const ResourceKey& key) const;
  void end_applied(const ResourceKey& key);
  void changed();

  const std::filesystem::path applied_directory_;
  mutable std::mutex mutex_;
  std::map<size_t, SourceState> sources_;
  Layer applied_, registered_;
  std::function<void()> on_change_;
};

}  // namespace sennit::mesh

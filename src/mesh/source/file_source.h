// Resources out of directories: every *.yaml, *.yml and *.json below them, watched by inotify.
//
// A change shows within one debounce (100 ms after the last event, as Istio; 1 s at most while
// events go on). A file that cannot be read as YAML (half-written, say) and a resource with an
// error keep their last good version in force, and the diagnostics say so. Names that begin with
// "." are left out (editors' swap files, ConfigMap mounts' "..data", whose links are followed
// instead). The same kind, namespace and name written twice: the first by path wins, an error names
// both.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "mesh/source/source.h"

namespace sennit::mesh {

inline constexpr std::chrono::milliseconds kFileDebounce{100};      // PILOT_DEBOUNCE_AFTER
inline constexpr std::chrono::milliseconds kFileDebounceMax{1000};  // an editor's burst is shorter
inline constexpr size_t kMaxConfigFile = 64u << 20;  // bytes; etcd's objects are below 2 MiB

class FileSource final : public Source {
 public:
  explicit FileSource(std::vector<std::filesystem::path> directories,
                      std::chrono::milliseconds debounce = kFileDebounce);
  ~FileSource() override;

  void start(std::function<void(ChangeSet)> on_change) override;
  void stop() override;

 private:
  struct File;
  using Files = std::map<std::filesystem::path, std::shared_ptr<const File>>;

  ChangeSet read_all(bool initial);
  std::vector<std::filesystem::path> list_files(std::vector<Diagnostic>& diagnostics);
  void watch(const std::filesystem::path& directory);
  void list_directory(const std::filesystem::path& directory, int depth,
                      std::vector<std::filesystem::path>& files,
                      std::vector<Diagnostic>& diagnostics);
  std::shared_ptr<const File> read_file(const std::filesystem::path& path);
  void run();
  bool wait_for_quiet();
  void drain_events();

  const std::vector<std::filesystem::path> directories_;
  const std::chrono::milliseconds debounce_;
  std::function<void(ChangeSet)> on_change_;
  Files files_;
  std::map<ResourceKey, ResourcePtr> in_force_;
  std::vector<std::string> told_;  // the diagnostics of the last change set, as text
  UniqueFd inotify_, wake_;
  std::thread thread_;
};

// Each once, by order: a file itself, or the files below a directory.
std::vector<std::filesystem::path> config_files(const std::filesystem::path& root);

}  // namespace sennit::mesh

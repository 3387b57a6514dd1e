#include "mesh/source/file_source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "base/log.h"
#include "mesh/api/decode.h"

namespace sennit::mesh {
namespace fs = std::filesystem;
namespace {

constexpr int kMaxDirectoryDepth = 32;  // a loop of links ends here

bool is_config_file(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

Diagnostic told_of(const fs::path& path, std::string message) {
  return Diagnostic{
      Diagnostic::Level::Error, Origin{path.string(), 0, 0}, "", "", std::move(message), ""};
}

std::vector<std::string> texts_of(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> texts;
  for (const Diagnostic& diagnostic : diagnostics) texts.push_back(diagnostic.to_string());
  return texts;
}

// The same resource, wherever it now stands in its file.
bool same_content(const Resource& a, const Resource& b) {
  if (a.api_version != b.api_version || a.labels != b.labels || a.annotations != b.annotations ||
      a.creation_time != b.creation_time)
    return false;
  return a.spec->SerializeAsString() == b.spec->SerializeAsString();
}

}  // namespace

// What one file holds: the text, and what of it is in force.
struct FileSource::File {
  std::string text;
  std::map<ResourceKey, ResourcePtr> resources;
  std::vector<Diagnostic> diagnostics;
};

FileSource::FileSource(std::vector<fs::path> directories, std::chrono::milliseconds debounce)
    : directories_(std::move(directories)), debounce_(debounce) {}

FileSource::~FileSource() {
  stop();
}

void FileSource::start(std::function<void(ChangeSet)> on_change) {
  on_change_ = std::move(on_change);
  inotify_.reset(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  wake_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!inotify_.valid())
    log::err("config", "cannot watch for changes: inotify_init1: {}", std::strerror(errno));
  ChangeSet first = read_all(true);
  told_ = texts_of(first.diagnostics);
  on_change_(std::move(first));
  thread_ = std::thread([this] { run(); });
}

void FileSource::stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  if (write(wake_.get(), &one, sizeof one) != sizeof one)
    log::warn("config", "cannot wake the watching thread: {}", std::strerror(errno));
  thread_.join();
}

void FileSource::run() {
  while (wait_for_quiet()) {
    ChangeSet changes = read_all(false);
    std::vector<std::string> texts = texts_of(changes.diagnostics);
    if (changes.upserted.empty() && changes.removed.empty() && texts == told_) continue;
    told_ = std::move(texts);
    on_change_(std::move(changes));
  }
}

// Until files have changed and then stood still for one debounce. False: stop.
bool FileSource::wait_for_quiet() {
  using Clock = std::chrono::steady_clock;
  pollfd descriptors[] = {{wake_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
  Clock::time_point first;
  bool changed = false;
  while (true) {
    int timeout = -1;
    if (changed) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          first + std::max(debounce_, kFileDebounceMax) - Clock::now());
      timeout = static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), debounce_).count());
    }
    const int ready = poll(descriptors, 2, timeout);
    if (ready < 0 && errno == EINTR) continue;
    if (descriptors[0].revents != 0) return false;
    if (ready <= 0) return true;
    drain_events();
    if (!changed) first = Clock::now();
    changed = true;
    if (Clock::now() - first >= std::max(debounce_, kFileDebounceMax)) return true;
  }
}

// What changed is found by reading again: events may be lost (queue overflow), contents are not.
void FileSource::drain_events() {
  alignas(inotify_event) char buffer[64 * 1024];
  while (read(inotify_.get(), buffer, sizeof buffer) > 0) {
  }
}

void FileSource::watch(const fs::path& directory) {
  if (!inotify_.valid()) return;
  constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                               IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB;
  if (inotify_add_watch(inotify_.get(), directory.c_str(), kEvents) < 0)
    log::warn("config", "cannot watch {}: {}", directory.string(), std::strerror(errno));
}

void FileSource::list_directory(const fs::path& directory, int depth, std::vector<fs::path>& files,
                                std::vector<Diagnostic>& diagnostics) {
  if (depth > kMaxDirectoryDepth) return;
  watch(directory);
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error))
    entries.push_back(entry->path());
  if (error)
    diagnostics.push_back(told_of(directory, fmt::format("cannot be read: {}", error.message())));
  std::ranges::sort(entries);
  for (const fs::path& entry : entries) {
    if (is_hidden(entry)) continue;
    std::error_code ignored;
    if (fs::is_directory(entry, ignored)) {
      list_directory(entry, depth + 1, files, diagnostics);
    } else if (is_config_file(entry) && fs::is_regular_file(entry, ignored)) {
      files.push_back(entry);
    }
  }
}

std::vector<fs::path> FileSource::list_files(std::vector<Diagnostic>& diagnostics) {
  std::vector<fs::path> files;
  for (const fs::path& directory : directories_) {
    std::error_code ignored;
    if (fs::is_regular_file(directory, ignored)) {
      watch(directory.has_parent_path() ? directory.parent_path() : fs::path("."));
      files.push_back(directory);
      continue;
    }
    // Watched from above, too, so that a directory that is made again is seen.
    const fs::path absolute = fs::absolute(directory, ignored);
    if (absolute.has_parent_path()) watch(absolute.parent_path());
    list_directory(directory, 0, files, diagnostics);
  }
  return files;
}

// nullptr where the file has gone. A file that did not change is not decoded again.
std::shared_ptr<const FileSource::File> FileSource::read_file(const fs::path& path) {
  std::error_code error;
  if (fs::file_size(path, error) > kMaxConfigFile && !error) {
    auto file = std::make_shared<File>();
    file->diagnostics.push_back(
        told_of(path, fmt::format("is larger than {} bytes; split it", kMaxConfigFile)));
    return file;
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return nullptr;
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  const auto known = files_.find(path);
  const File* before = known == files_.end() ? nullptr : known->second.get();
  if (before && before->text == text) return known->second;

  auto file = std::make_shared<File>();
  Decoded decoded = decode(text, path.string());
  file->text = std::move(text);
  file->diagnostics = std::move(decoded.diagnostics);
  if (!decoded.readable) {
    if (before) file->resources = before->resources;
    return file;
  }
  for (ResourcePtr& resource : decoded.resources) {
    const auto [first, fresh] = file->resources.emplace(key_of(*resource), resource);
    if (fresh) continue;
    file->diagnostics.push_back(Diagnostic{
        Diagnostic::Level::Error, resource->origin, resource->display_name(), "",
        fmt::format("is there already, in {}; remove one", first->second->origin.to_string()), ""});
  }
  for (const ResourceKey& key : decoded.rejected)
    if (before && before->resources.contains(key))
      file->resources.emplace(key, before->resources.at(key));
  return file;
}

ChangeSet FileSource::read_all(bool initial) {
  ChangeSet changes;
  changes.initial = initial;
  Files files;
  std::map<ResourceKey, ResourcePtr> now;
  for (const fs::path& path : list_files(changes.diagnostics)) {
    auto file = read_file(path);
    if (!file) continue;
    changes.diagnostics.insert(changes.diagnostics.end(), file->diagnostics.begin(),
                               file->diagnostics.end());
    for (const auto& [key, resource] : file->resources) {
      const auto [first, fresh] = now.emplace(key, resource);
      if (fresh || files.contains(path)) continue;
      changes.diagnostics.push_back(
          Diagnostic{Diagnostic::Level::Error, resource->origin, resource->display_name(), "",
                     fmt::format("is there already, in {}, which stays in force; remove one",
                                 first->second->origin.to_string()),
                     ""});
    }
    files.emplace(path, std::move(file));
  }
  for (auto& [key, resource] : now) {
    const auto before = in_force_.find(key);
    if (before == in_force_.end() ||
        (before->second != resource && !same_content(*before->second, *resource)))
      changes.upserted.push_back(resource);
  }
  for (const auto& [key, resource] : in_force_)
    if (!now.contains(key)) changes.removed.push_back(key);
  files_ = std::move(files);
  in_force_ = std::move(now);
  return changes;
}

std::vector<fs::path> config_files(const fs::path& root) {
  std::vector<fs::path> files;
  std::error_code error;
  if (!fs::is_directory(root, error)) return {root};
  const auto options = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator entry(root, options, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_hidden(entry->path()))
      entry.disable_recursion_pending();
    else if (is_config_file(entry->path()))
      files.push_back(entry->path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace sennit::mesh

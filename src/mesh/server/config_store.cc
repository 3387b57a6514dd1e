#include "mesh/server/config_store.h"

#include <fstream>
#include <sstream>

#include "base/log.h"
#include "mesh/api/decode.h"

namespace sennit::mesh {
namespace {

namespace fs = std::filesystem;

bool has_error(const std::vector<Diagnostic>& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics)
    if (diagnostic.level == Diagnostic::Level::Error) return true;
  return false;
}

// The documents of a YAML stream, cut at the "---" lines, with the line each begins at (from 0).
// An applied resource is kept in a file of its own; what was written stays as it was written.
std::vector<std::pair<int, std::string>> documents_of(const std::string& yaml) {
  std::vector<std::pair<int, std::string>> documents{{0, ""}};
  std::istringstream lines(yaml);
  int number = 0;
  for (std::string line; std::getline(lines, line); ++number) {
    if (line.starts_with("---")) {
      documents.emplace_back(number + 1, "");
    } else {
      documents.back().second += line + "\n";
    }
  }
  return documents;
}

const std::string& document_at(const std::vector<std::pair<int, std::string>>& documents,
                               int line) {
  size_t index = 0;
  while (index + 1 < documents.size() && documents[index + 1].first < line) ++index;
  return documents[index].second;
}

}  // namespace

ConfigStore::ConfigStore(fs::path applied) : applied_directory_(std::move(applied)) {}

void ConfigStore::set_listener(std::function<void()> on_change) {
  std::lock_guard lock(mutex_);
  on_change_ = std::move(on_change);
}

fs::path ConfigStore::applied_file(const ResourceKey& key) const {
  return applied_directory_ / (key.kind + "." + key.namespace_ + "." + key.name + ".yaml");
}

void ConfigStore::load_applied() {
  std::error_code error;
  fs::create_directories(applied_directory_, error);
  for (const auto& entry : fs::directory_iterator(applied_directory_, error)) {
    std::ifstream file(entry.path());
    std::ostringstream text;
    text << file.rdbuf();
    Decoded decoded = decode(text.str(), entry.path().string());
    for (const Diagnostic& diagnostic : decoded.diagnostics)
      log::warn("config", "applied earlier: {}", diagnostic.to_string());
    std::lock_guard lock(mutex_);
    for (ResourcePtr& resource : decoded.resources)
      applied_[key_of(*resource)] = std::move(resource);
  }
}

void ConfigStore::update(size_t source, ChangeSet changes) {
  {
    std::lock_guard lock(mutex_);
    SourceState& state = sources_[source];
    for (ResourcePtr& resource : changes.upserted) {
      ResourceKey key = key_of(*resource);
      if (!changes.initial && applied_.contains(key)) {
        log::info("config", "{} was edited: that ends the applied version",
                  resource->display_name());
        end_applied(key);
      }
      state.resources[std::move(key)] = std::move(resource);
    }
    for (const ResourceKey& key : changes.removed) state.resources.erase(key);
    state.diagnostics = std::move(changes.diagnostics);
  }
  changed();
}

void ConfigStore::end_applied(const ResourceKey& key) {
  applied_.erase(key);
  std::error_code ignored;
  fs::remove(applied_file(key), ignored);
}

ConfigStore::Applied ConfigStore::apply(const std::string& yaml) {
  Applied result;
  Decoded decoded = decode(yaml, "apply");
  result.diagnostics = decoded.diagnostics;
  if (has_error(result.diagnostics)) return result;
  const auto documents = documents_of(yaml);
  {
    std::lock_guard lock(mutex_);
    for (ResourcePtr& resource : decoded.resources) {
      ResourceKey key = key_of(*resource);
      const fs::path path = applied_file(key);
      const fs::path fresh = path.string() + ".new";
      std::ofstream(fresh) << document_at(documents, resource->origin.line);
      std::error_code error;
      fs::rename(fresh, path, error);
      if (error) log::err("config", "cannot keep {}: {}", path.string(), error.message());
      result.names.push_back(resource->display_name());
      applied_[std::move(key)] = std::move(resource);
    }
  }
  result.ok = true;
  changed();
  return result;
}

void ConfigStore::register_workload(ResourcePtr entry) {
  {
    std::lock_guard lock(mutex_);
    registered_[key_of(*entry)] = std::move(entry);
  }
  changed();
}

void ConfigStore::unregister_workload(const ResourceKey& key) {
  {
    std::lock_guard lock(mutex_);
    if (registered_.erase(key) == 0) return;
  }
  changed();
}

void ConfigStore::changed() {
  std::function<void()> listener;
  {
    std::lock_guard lock(mutex_);
    listener = on_change_;
  }
  if (listener) listener();
}

std::vector<ResourcePtr> ConfigStore::resources() const {
  std::lock_guard lock(mutex_);
  Layer all = registered_;
  all.insert(applied_.begin(), applied_.end());
  for (const auto& [index, source] : sources_)
    all.insert(source.resources.begin(), source.resources.end());
  std::vector<ResourcePtr> result;
  result.reserve(all.size());
  for (auto& [key, resource] : all) result.push_back(std::move(resource));
  return result;
}

ResourcePtr ConfigStore::find(const ResourceKey& key) const {
  std::lock_guard lock(mutex_);
  for (const Layer* layer : {&registered_, &applied_})
    if (auto found = layer->find(key); found != layer->end()) return found->second;
  for (const auto& [index, source] : sources_)
    if (auto found = source.resources.find(key); found != source.resources.end())
      return found->second;
  return nullptr;
}

std::vector<Diagnostic> ConfigStore::diagnostics() const {
  std::lock_guard lock(mutex_);
  std::vector<Diagnostic> result;
  for (const auto& [index, source] : sources_)
    result.insert(result.end(), source.diagnostics.begin(), source.diagnostics.end());
  return result;
}

}  // namespace sennit::mesh

#include "mesh/api/resource.h"

#include <fmt/format.h>

namespace sennit::mesh {

std::string Origin::to_string() const {
  if (line == 0) return file;
  return fmt::format("{}:{}:{}", file, line, column);
}

Origin Resource::origin_of(std::string_view field_path) const {
  if (!positions) return origin;
  std::string path(field_path);
  while (!path.empty()) {
    if (auto found = positions->find(path); found != positions->end())
      return Origin{origin.file, found->second.first, found->second.second};
    const size_t cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
  return origin;
}

std::string Resource::display_name() const {
  return key_of(*this).display_name();
}

std::string ResourceKey::display_name() const {
  return fmt::format("{} {}/{}", kind, namespace_, name);
}

ResourceKey key_of(const Resource& resource) {
  return ResourceKey{resource.kind, resource.namespace_, resource.name};
}

std::string Diagnostic::to_string() const {
  std::string text = origin.to_string();
  const auto add = [&text](std::string_view part) {
    if (part.empty()) return;
    if (!text.empty()) text += ": ";
    text += part;
  };
  if (level == Level::Warning) add("warning");
  if (level == Level::Info) add("info");
  add(resource);
  add(field_path);
  add(message);
  if (!code.empty()) text += fmt::format(" [{}]", code);
  return text;
}

}  // namespace sennit::mesh

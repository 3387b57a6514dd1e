#include "mesh/analyze/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <tuple>

#include "mesh/analyze/analyze.h"
#include "mesh/api/decode.h"
#include "mesh/source/file_source.h"

namespace sennit::mesh {
namespace {

Diagnostic failure(const std::string& file, std::string message) {
  return Diagnostic{Diagnostic::Level::Error, Origin{file, 0, 0}, "", "", std::move(message), ""};
}

class Reader {
 public:
  void read(const std::string& name, std::istream& stream) {
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    Decoded decoded = decode(text, name);
    std::ranges::move(decoded.diagnostics, std::back_inserter(diagnostics));
    for (ResourcePtr& resource : decoded.resources) {
      const auto [first, fresh] = known_.emplace(key_of(*resource), resource);
      if (fresh) {
        resources.push_back(std::move(resource));
        continue;
      }
      Diagnostic twice = failure(name, fmt::format("is there already, in {}; remove one",
                                                   first->second->origin.to_string()));
      twice.origin = resource->origin;
      twice.resource = resource->display_name();
      diagnostics.push_back(std::move(twice));
    }
  }

  void read_file(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return diagnostics.push_back(failure(path.string(), "cannot be read"));
    read(path.string(), stream);
  }

  std::vector<Diagnostic> diagnostics;
  std::vector<ResourcePtr> resources;

 private:
  std::map<ResourceKey, ResourcePtr> known_;
};

}  // namespace

int Validation::exit_status() const {
  return std::ranges::any_of(diagnostics,
                             [](const Diagnostic& diagnostic) {
                               return diagnostic.level == Diagnostic::Level::Error;
                             })
             ? 1
             : 0;
}

Validation validate(const std::vector<std::string>& paths, std::istream& standard_input) {
  Reader reader;
  for (const std::string& path : paths) {
    if (path == "-") {
      reader.read("<stdin>", standard_input);
      continue;
    }
    const auto files = config_files(path);
    for (const auto& file : files) reader.read_file(file);
    if (files.empty())
      reader.diagnostics.push_back(failure(path, "has no *.yaml, *.yml or *.json"));
  }
  Validation result;
  result.resources = reader.resources.size();
  result.diagnostics = std::move(reader.diagnostics);
  std::ranges::move(analyze(reader.resources), std::back_inserter(result.diagnostics));
  std::ranges::stable_sort(result.diagnostics, {}, [](const Diagnostic& diagnostic) {
    const Origin& origin = diagnostic.origin;
    return std::tie(origin.file, origin.line, origin.column);
  });
  return result;
}

}  // namespace sennit::mesh

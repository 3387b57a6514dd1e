// Collects what is wrong with one resource: errors and warnings with the position of the field.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "mesh/api/resource.h"

namespace sennit::mesh {

class Checker {
 public:
  Checker(const Resource& resource, std::vector<Diagnostic>& diagnostics)
      : resource_(resource), diagnostics_(diagnostics) {}

  // `field` is the path below spec, as in "http[0].route[1].weight"; empty means the resource.
  template <typename... Args>
  void error(std::string_view field, fmt::format_string<Args...> format, Args&&... args) {
    add(Diagnostic::Level::Error, field, "", fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void warning(std::string_view field, fmt::format_string<Args...> format, Args&&... args) {
    add(Diagnostic::Level::Warning, field, "", fmt::format(format, std::forward<Args>(args)...));
  }
  void add(Diagnostic::Level level, std::string_view field, std::string_view code,
           std::string message) {
    diagnostics_.push_back(Diagnostic{level, resource_.origin_of(field), resource_.display_name(),
                                      std::string(field), std::move(message), std::string(code)});
    if (level == Diagnostic::Level::Error) ++errors_;
  }

  // True where the field was written, even with its default value ("rewrite: {}").
  bool written(const std::string& field) const {
    return resource_.positions && resource_.positions->contains(field);
  }
  const Resource& resource() const { return resource_; }
  int errors() const { return errors_; }

 private:
  const Resource& resource_;
  std::vector<Diagnostic>& diagnostics_;
  int errors_ = 0;
};

}  // namespace sennit::mesh

// YAML or JSON → resources: the one door by which configuration of any source becomes typed. Checks
// everything that can be told from one resource alone: types, names, and Istio's own rules
// (validate/*.cc). What needs several resources is src/mesh/analyze.
#pragma once

#include <string_view>
#include <vector>

#include "mesh/api/resource.h"

namespace sennit::mesh {

struct Decoded {
  std::vector<ResourcePtr> resources;  // those without an error, in the order of the text
  // Resources that have an error but whose name could be read: their last good version stays.
  std::vector<ResourceKey> rejected;
  std::vector<Diagnostic> diagnostics;
  // False: the text is not YAML (half-written, say), so nothing can be said about what it holds.
  bool readable = true;
};

// `file` is what origins carry. Several documents, `kind: List`, JSON; empty documents are skipped.
// Kinds that are none of ours are skipped with a warning. Thread-safe.
Decoded decode(std::string_view text, std::string_view file);

}  // namespace sennit::mesh

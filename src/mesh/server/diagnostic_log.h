// Tells each problem of the configuration once in the log when it appears, and says when it is
// mended. Thread-safe.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "mesh/api/resource.h"

namespace sennit::mesh {

class DiagnosticLog {
 public:
  void update(const std::vector<Diagnostic>& all);

 private:
  std::mutex mutex_;
  std::set<std::string> told_;
};

}  // namespace sennit::mesh

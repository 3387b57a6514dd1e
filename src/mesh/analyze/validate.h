// `sennit validate -f FILE|DIR|-`: everything that can be told of configuration before it is used.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "mesh/api/resource.h"

namespace sennit::mesh {

struct Validation {
  std::vector<Diagnostic> diagnostics;  // by file and position
  size_t resources = 0;                 // read and without error
  // 0: acceptable, warnings included; 1: something is in error or could not be read.
  int exit_status() const;
};

// Files and directories (recursive); "-" is `standard_input`. Resources of all of them are looked
// at together.
Validation validate(const std::vector<std::string>& paths, std::istream& standard_input);

}  // namespace sennit::mesh

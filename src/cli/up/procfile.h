// A Procfile: one "NAME: COMMAND" a line, "#" comments. The command is for /bin/sh.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace sennit::cli {

struct ProcfileEntry {
  std::string name, command;
};
// Errors name file and line.
Result<std::vector<ProcfileEntry>> parse_procfile(const std::string& text, const std::string& file);
Result<std::vector<ProcfileEntry>> read_procfile(const std::filesystem::path& path);

}  // namespace sennit::cli

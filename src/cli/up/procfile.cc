#include "cli/up/procfile.h"

#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

namespace sennit::cli {
namespace {

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

Result<std::vector<ProcfileEntry>> parse_procfile(const std::string& text,
                                                  const std::string& file) {
  std::vector<ProcfileEntry> entries;
  std::set<std::string> names;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = trimmed(line);
    if (line.empty() || line[0] == '#') continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0)
      return fail("{}:{}: write \"NAME: COMMAND\", where NAME is a WorkloadGroup", file, number);
    ProcfileEntry entry{trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1))};
    if (entry.command.empty()) return fail("{}:{}: {} has no command", file, number, entry.name);
    if (!names.insert(entry.name).second)
      return fail("{}:{}: {} is there twice", file, number, entry.name);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<ProcfileEntry>> read_procfile(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return fail("cannot read {}: {}", path.string(), std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return parse_procfile(text.str(), path.string());
}

}  // namespace sennit::cli

#include "cli/verb.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace sennit::cli {

std::filesystem::path default_state_directory() {
  auto variable = [](const char* name) -> std::filesystem::path {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  if (auto state = variable("SENNIT_STATE"); !state.empty()) return state;
  if (auto home = variable("XDG_STATE_HOME"); !home.empty()) return home / "sennit";
  return variable("HOME") / ".local" / "state" / "sennit";
}

CLI::Option* add_output_option(CLI::App* verb, std::string& output) {
  return verb->add_option("-o,--output", output, "How to print")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
}

bool colours() {
  return ::isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
}

int report(const std::string& message, int code) {
  const bool red = ::isatty(STDERR_FILENO) && !std::getenv("NO_COLOR");
  std::cerr << (red ? "\x1b[31msennit:\x1b[0m " : "sennit: ") << message << std::endl;
  return code;
}

}  // namespace sennit::cli

// The command line: Envoy's flags, by Envoy's names.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "proxy/config/bootstrap.h"

namespace sennit::proxy {

struct Options {
  BootstrapSource bootstrap;
  bool validate_only = false;
  uint32_t concurrency = 1;
  std::string log_level = "info";
  std::string log_path;            // empty: stderr
  std::string admin_address_path;  // where the admin's address is written; empty: nowhere
  std::chrono::seconds drain_time{600};
};

// What to do next: run with the options, or exit with the status (help and errors are printed).
struct ParsedOptions {
  std::optional<Options> options;
  int exit_status = 0;
};
ParsedOptions parse_options(int argc, const char* const* argv);

// Envoy's names of levels (trace, debug, info, warning, warn, error, critical, off) for spdlog.
// False: no such level.
bool set_log_level(const std::string& name);

}  // namespace sennit::proxy

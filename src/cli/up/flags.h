// The flags that `sennit up` and `sennit demo` share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/up/mesh_group.h"

namespace sennit::cli {

struct UpFlags {
  std::string directory = ".", mesh_config, state, proxy = "sennit-proxy";
  std::vector<std::string> config, proxy_of;
  std::string grpc_address, secure_address, http_address;
  int certificate_lifetime = 0;

  UpFlags();
  void add_to(CLI::App* verb);
  Result<UpOptions> options() const;
};

}  // namespace sennit::cli

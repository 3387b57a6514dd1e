// The bootstrap: what sennit-proxy is started with (Envoy's envoy.config.bootstrap.v3.Bootstrap, in
// a file, on the command line, or both).
#pragma once

#include <envoy/config/bootstrap/v3/bootstrap.pb.h>

#include <string>

#include "base/result.h"

namespace sennit::proxy {

struct BootstrapSource {
  std::string path;  // YAML, JSON or (".pb") the binary message; empty: none
  std::string yaml;  // merged over the file; empty: none
  // The command line's words on the node, over the file's; empty: the file's.
  std::string service_node, service_cluster, service_zone;
};

// Reads, merges and checks. An error names the file, the line where it can, and the field by its
// full path; fields that are not carried out are refused so, too.
Result<envoy::config::bootstrap::v3::Bootstrap> load_bootstrap(const BootstrapSource& source);

// Refuses fields of the bootstrap that are not carried out. What is inside the listeners, clusters
// and secrets is judged by those who build them.
Status check_bootstrap(const envoy::config::bootstrap::v3::Bootstrap& bootstrap);

}  // namespace sennit::proxy

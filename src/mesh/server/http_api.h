// The control plane's HTTP port: probes, metrics, what it knows (debug), and `sennit apply`.
//
//   GET  /ready /metrics
//   GET  /debug/syncz        connected proxies and what each has acknowledged (JSON)
//   GET  /debug/configz      resources in force
//   GET  /debug/endpointz    services and their endpoints
//   GET  /debug/diagnostics  what is wrong with the configuration
//   GET  /v1/workload-groups/NAMESPACE/NAME   what `sennit run` starts a workload with
//   POST /v1/apply           YAML; needs "authorization: Bearer JOIN-TOKEN"
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "mesh/ca/authority.h"
#include "mesh/push/xds_server.h"
#include "mesh/server/config_store.h"
#include "mesh/server/rebuilder.h"

namespace sennit::mesh {

class HttpApi {
 public:
  struct Parts {
    ConfigStore& store;
    Rebuilder& rebuilder;
    XdsServer& xds;
    Authority& authority;
    std::string join_token;
    // What cross-resource analysis says of the mesh as it is.
    std::function<std::vector<Diagnostic>()> analyze;
  };
  static Result<std::unique_ptr<HttpApi>> listen(const std::string& address, Parts parts);
  ~HttpApi();

 private:
  explicit HttpApi(Parts parts);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sennit::mesh

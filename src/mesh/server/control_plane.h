// The control plane of one process: sources → store → mesh snapshot → xDS, with the certificate
// authority and an HTTP port for people and probes. Construct, start, stop.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace sennit::mesh {

struct ControlOptions {
  std::vector<std::filesystem::path> config;  // directories, watched
  std::filesystem::path mesh_config;          // file; empty: defaults
  std::filesystem::path state;
  std::string trust_domain;  // empty: the mesh configuration's, else cluster.local
  std::string grpc_address, secure_grpc_address, http_address;  // "HOST:PORT"; empty: not served
  // The names in the control plane's own certificate, besides its addresses.
  std::vector<std::string> server_names = {"istiod.istio-system.svc", "istiod", "localhost"};
  // Changes that come within this time of each other are one push; at most `debounce_max` late.
  std::chrono::milliseconds debounce{10}, debounce_max{100};
  std::chrono::milliseconds deregister_after{2000};
  std::chrono::seconds certificate_lifetime{24 * 3600};
};

class ControlPlane {
 public:
  // Everything read, listening and serving when this returns. An error says what could not start.
  static Result<std::unique_ptr<ControlPlane>> start(ControlOptions options);
  ~ControlPlane();

 private:
  ControlPlane();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sennit::mesh

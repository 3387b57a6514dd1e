// What the control plane shows of itself, as JSON and as Prometheus text. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "mesh/model/mesh.h"
#include "mesh/push/xds_server.h"

namespace sennit::mesh {

std::string sync_view(const std::vector<Session::Snapshot>& sessions);
std::string config_view(const std::vector<ResourcePtr>& resources);
std::string endpoint_view(const Mesh& mesh);
std::string diagnostics_view(const std::vector<Diagnostic>& diagnostics);
std::string workload_group_view(const Resource& group, const std::string& trust_domain);

struct ControlFigures {
  size_t connected = 0, services = 0, virtual_services = 0, errors = 0, warnings = 0;
  uint64_t pushes = 0, responses = 0, response_bytes = 0, rejections = 0, certificates = 0;
  std::chrono::microseconds last_build{0};
};
// Istiod's names where it has one (pilot_xds, pilot_services, ...).
std::string metrics_view(const ControlFigures& figures);

}  // namespace sennit::mesh

// The mesh-wide settings: `sennit control --mesh-config FILE`, Istio's MeshConfig as YAML.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "mesh/api/istio/mesh_config.pb.h"
#include "mesh/api/resource.h"

namespace sennit::mesh {

// Istio's defaults: auto mTLS, ALLOW_ANY, connect timeout 10s, root namespace istio-system, trust
// domain cluster.local, retries 2 on connect-failure and the like.
istio::v1::MeshConfig default_mesh_config();

struct LoadedMeshConfig {
  istio::v1::MeshConfig config;         // the defaults with what the file says over them
  std::vector<Diagnostic> diagnostics;  // an error: `config` holds the defaults only
};

LoadedMeshConfig load_mesh_config(const std::filesystem::path& file);
// A ConfigMap whose data has "mesh" is accepted, too.
LoadedMeshConfig decode_mesh_config(std::string_view text, std::string_view file);

}  // namespace sennit::mesh

// The names of gRPC's status codes, as Istio's fault injection takes them ("UNAVAILABLE").
// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sennit::mesh {

// nullopt: gRPC has no status of that name.
std::optional<uint32_t> grpc_status_code(std::string_view name);

}  // namespace sennit::mesh

// Merging a delegating HTTP rule with a rule of its delegate, as Istio does.
#pragma once

#include <optional>

#include "mesh/api/istio/virtual_service.pb.h"

namespace sennit::mesh {

// nullopt: no request could match both.
std::optional<sennit::istio::v1::HTTPRoute> merge_delegate(
    const sennit::istio::v1::HTTPRoute& root, const sennit::istio::v1::HTTPRoute& leaf);

}  // namespace sennit::mesh

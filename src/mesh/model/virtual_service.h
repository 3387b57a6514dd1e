// Makes VirtualServices whole: names qualified, delegates merged in (Istio's rules of merging).
#pragma once

#include <vector>

#include "mesh/model/mesh.h"

namespace sennit::mesh {

// `resources`: VirtualServices, oldest first. Delegates themselves (those without hosts) are not in
// the result. A delegate that is missing or conflicts drops its rule, with a diagnostic.
std::vector<VirtualServicePtr> make_virtual_services(const std::vector<ResourcePtr>& resources,
                                                     const Mesh& mesh,
                                                     std::vector<Diagnostic>& diagnostics);

}  // namespace sennit::mesh

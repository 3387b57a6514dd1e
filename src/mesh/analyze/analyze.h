// What can be wrong only among several resources: a host that no service has, a subset that no
// DestinationRule has, two VirtualServices for one host, ... Warnings with Istio's analyzer codes
// where one fits: each resource by itself is good and stays in force, and what is missed may come.
#pragma once

#include <string>
#include <vector>

#include "mesh/api/resource.h"

namespace sennit::mesh {

// Resources of one mesh, valid each by itself. In the order of the resources.
std::vector<Diagnostic> analyze(const std::vector<ResourcePtr>& resources,
                                const std::string& root_namespace = "istio-system");

}  // namespace sennit::mesh

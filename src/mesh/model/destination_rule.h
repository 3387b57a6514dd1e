// Merges and indexes DestinationRules.
#pragma once

#include <map>
#include <vector>

#include "mesh/model/mesh.h"

namespace sennit::mesh {

using DestinationRuleIndex =
    std::map<std::string, std::map<std::string, std::vector<DestinationRulePtr>>, std::less<>>;

// `resources`: DestinationRules, oldest first.
DestinationRuleIndex make_destination_rules(const std::vector<ResourcePtr>& resources,
                                            const Mesh& mesh);

}  // namespace sennit::mesh

// A workload's description, in WorkloadEntry, WorkloadGroup and ServiceEntry.endpoints.
#pragma once

#include "mesh/api/istio/workload_entry.pb.h"
#include "mesh/api/validate/common.h"

namespace sennit::mesh {

void check_workload(Checker& checker, const std::string& field,
                    const istio::v1::WorkloadEntry& workload, bool needs_address);

}  // namespace sennit::mesh

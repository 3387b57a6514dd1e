// What `sennit run` has to know of the workload that it starts: read from the control plane, which
// has it from the Istio WorkloadGroup of that name.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"

namespace sennit::cli {

struct Workload {
  enum class Kind { Sidecar, Gateway } kind = Kind::Sidecar;
  std::string name, namespace_ = "default", service_account = "default";
  std::string trust_domain = "cluster.local";
  std::map<std::string, std::string> labels;
  std::map<std::string, uint16_t> ports;  // the application's, by name
  std::string network, locality;
};

// GET /v1/workload-groups/NAMESPACE/NAME of the control plane at `http_address`, waiting for it to
// come up until `deadline`.
Result<Workload> fetch_workload(const std::string& http_address, const std::string& namespace_,
                                const std::string& name,
                                std::chrono::steady_clock::time_point deadline);

// The other direction, for the control plane's side of the same contract.
Result<Workload> workload_from_json(const std::string& json);

}  // namespace sennit::cli

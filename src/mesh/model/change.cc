// What differs between two snapshots.
#include <algorithm>

#include "mesh/model/mesh.h"

namespace sennit::mesh {

namespace {

// What of a service's endpoints is part of its clusters: identities to expect, and for DNS all.
bool same_cluster(const Service& service, const Workloads& before, const Workloads& after) {
  if (service.resolution != Resolution::Static) return false;
  auto accounts = [](const Workloads& workloads) {
    std::set<std::string> out;
    for (const auto& workload : workloads) {
      if (!workload->service_account.empty()) {
        out.insert(workload->namespace_ + "/" + workload->service_account);
      }
    }
    return out;
  };
  return accounts(before) == accounts(after);
}

void note_addresses(const Workloads& before, const Workloads& after, ChangeSummary& out) {
  std::set<WorkloadPtr> old(before.begin(), before.end()), now(after.begin(), after.end());
  for (const auto& workload : before) {
    if (!now.contains(workload)) out.workload_addresses.insert(workload->address);
  }
  for (const auto& workload : after) {
    if (!old.contains(workload)) out.workload_addresses.insert(workload->address);
  }
}

}  // namespace

ChangeSummary summarize(const Mesh* before, const Mesh& after) {
  ChangeSummary out;
  bool rebuilt =
      before == nullptr || before->rules_ != after.rules_ || before->services_ != after.services_;
  if (!rebuilt && before->config_ != after.config_) {
    rebuilt = before->config_->SerializeAsString() != after.config_->SerializeAsString();
  }
  if (rebuilt) {
    out.everything = true;
    return out;
  }
  for (const auto& service : after.services_) {
    auto old = before->workloads(*service), now = after.workloads(*service);
    if (old == now) continue;
    out.services.insert(service->hostname);
    note_addresses(*old, *now, out);
    if (!same_cluster(*service, *old, *now)) out.everything = true;
  }
  return out;
}

}  // namespace sennit::mesh

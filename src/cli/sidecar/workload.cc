#include "cli/sidecar/workload.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "cli/http_client.h"

namespace sennit::cli {
namespace {

constexpr std::chrono::milliseconds kPollInterval{100};

}  // namespace

Result<Workload> workload_from_json(const std::string& text) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object())
    return fail("the control plane's answer is not JSON");
  Workload workload;
  workload.name = json.value("name", "");
  workload.namespace_ = json.value("namespace", "default");
  workload.service_account = json.value("serviceAccount", "default");
  workload.trust_domain = json.value("trustDomain", "cluster.local");
  workload.network = json.value("network", "");
  workload.locality = json.value("locality", "");
  workload.labels = json.value("labels", workload.labels);
  workload.ports = json.value("ports", workload.ports);
  return workload;
}

Result<Workload> fetch_workload(const std::string& http_address, const std::string& namespace_,
                                const std::string& name,
                                std::chrono::steady_clock::time_point deadline) {
  const std::string path = "/v1/workload-groups/" + namespace_ + "/" + name;
  while (true) {
    auto answer = http_get(http_address, path);
    if (answer && answer->status == 200) return workload_from_json(answer->body);
    if (std::chrono::steady_clock::now() >= deadline) {
      if (!answer) return std::unexpected(answer.error().within("the control plane"));
      if (answer->status == 404)
        return fail("the mesh has no WorkloadGroup {}/{}: add one to its configuration", namespace_,
                    name);
      return fail("the control plane answered {} for WorkloadGroup {}/{}: {}", answer->status,
                  namespace_, name, answer->body);
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace sennit::cli

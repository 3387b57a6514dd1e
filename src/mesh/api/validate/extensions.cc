// The kinds that carry settings for proxies: WasmPlugin, TrafficExtension, EnvoyFilter,
// ProxyConfig.
#include <set>

#include "mesh/api/istio/envoy_filter.pb.h"
#include "mesh/api/istio/proxy_config.pb.h"
#include "mesh/api/istio/traffic_extension.pb.h"
#include "mesh/api/istio/wasm_plugin.pb.h"
#include "mesh/api/validate/common.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

// What WasmPlugin and TrafficExtension.wasm have in common.
template <typename Module>
void check_module(Checker& checker, const std::string& field, const Module& module) {
  const std::string& url = module.url();
  if (url.empty()) checker.error(below(field, "url"), "is missing");
  if (const size_t scheme = url.find("://"); scheme != std::string::npos) {
    const std::string name = url.substr(0, scheme);
    if (name != "oci" && name != "file" && name != "http" && name != "https")
      checker.error(below(field, "url"), "\"{}\" must be oci, file, http or https", name);
  }
  if (!module.sha256().empty() &&
      (module.sha256().size() != 64 ||
       module.sha256().find_first_not_of("0123456789abcdef") != std::string::npos))
    checker.error(below(field, "sha256"), "must be 64 lower-case hexadecimal digits");
  std::set<std::string> names;
  for (int i = 0; i < module.vm_config().env_size(); ++i) {
    const auto& variable = module.vm_config().env(i);
    const std::string path = at(below(field, "vmConfig.env"), i);
    if (variable.name().empty()) checker.error(path, "needs a \"name\"");
    if (!names.insert(variable.name()).second)
      checker.error(below(path, "name"), "\"{}\" is set twice", variable.name());
    if (variable.value_from() == api::VmConfig::EnvVar::HOST && !variable.value().empty())
      checker.error(below(path, "value"), "must be empty with valueFrom: HOST");
  }
}

void check_traffic(Checker& checker,
                   const google::protobuf::RepeatedPtrField<api::TrafficSelector>& match) {
  for (int i = 0; i < match.size(); ++i)
    for (int p = 0; p < match[i].ports_size(); ++p)
      check_port(checker, below(at(below(at("match", i), "ports"), p), "number"),
                 match[i].ports(p).number());
}

void check_patch(Checker& checker, const std::string& field,
                 const api::EnvoyFilter::EnvoyConfigObjectPatch& patch) {
  using Filter = api::EnvoyFilter;
  if (patch.apply_to() == Filter::INVALID) checker.error(field, "needs \"applyTo\"");
  if (!patch.has_patch()) return checker.error(field, "needs a \"patch\"");
  const auto operation = patch.patch().operation();
  if (operation == Filter::Patch::INVALID) checker.error(field, "needs \"patch.operation\"");
  if (operation != Filter::Patch::REMOVE && operation != Filter::Patch::INVALID &&
      !patch.patch().has_value())
    checker.error(below(field, "patch"), "needs a \"value\"");
  if (operation == Filter::Patch::REMOVE && patch.patch().has_value())
    checker.warning(below(field, "patch.value"), "has no meaning with operation REMOVE");
}

}  // namespace

void validate_wasm_plugin(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::WasmPlugin>();
  check_attachment(checker, spec);
  check_module(checker, "", spec);
  check_traffic(checker, spec.match());
}

void validate_traffic_extension(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::TrafficExtension>();
  check_attachment(checker, spec);
  if (spec.filter_config_case() == api::TrafficExtension::FILTER_CONFIG_NOT_SET)
    checker.error("", "needs \"wasm\" or \"lua\"");
  if (spec.has_wasm()) check_module(checker, "wasm", spec.wasm());
  if (spec.has_lua() && spec.lua().inline_code().empty())
    checker.error("lua.inlineCode", "is missing");
  check_traffic(checker, spec.match());
}

void validate_envoy_filter(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::EnvoyFilter>();
  if (spec.has_workload_selector()) check_selector(checker, spec.workload_selector());
  if (spec.has_workload_selector() && spec.target_refs_size() > 0)
    checker.error("workloadSelector", "cannot stand beside targetRefs; choose one of them");
  for (int i = 0; i < spec.config_patches_size(); ++i)
    check_patch(checker, at("configPatches", i), spec.config_patches(i));
}

void validate_proxy_config(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::ProxyConfig>();
  if (spec.has_selector()) check_selector(checker, spec.selector());
  check_not_negative(checker, "concurrency", spec.concurrency());
}

}  // namespace sennit::mesh

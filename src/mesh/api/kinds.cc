#include "mesh/api/kinds.h"

#include <fmt/format.h>

#include "mesh/api/istio/authorization_policy.pb.h"
#include "mesh/api/istio/destination_rule.pb.h"
#include "mesh/api/istio/envoy_filter.pb.h"
#include "mesh/api/istio/gateway.pb.h"
#include "mesh/api/istio/peer_authentication.pb.h"
#include "mesh/api/istio/proxy_config.pb.h"
#include "mesh/api/istio/request_authentication.pb.h"
#include "mesh/api/istio/service.pb.h"
#include "mesh/api/istio/service_entry.pb.h"
#include "mesh/api/istio/sidecar.pb.h"
#include "mesh/api/istio/telemetry.pb.h"
#include "mesh/api/istio/traffic_extension.pb.h"
#include "mesh/api/istio/virtual_service.pb.h"
#include "mesh/api/istio/wasm_plugin.pb.h"
#include "mesh/api/istio/workload_entry.pb.h"
#include "mesh/api/istio/workload_group.pb.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

template <typename Spec>
Kind kind(std::string_view name, std::string_view group, std::vector<std::string_view> versions,
          void (*validate)(const Resource&, Checker&), bool in_force = true) {
  return Kind{name, group, std::move(versions), &Spec::default_instance(), validate, in_force};
}

std::vector<Kind> make_kinds() {
  constexpr std::string_view kNetworking = "networking.istio.io";
  constexpr std::string_view kSecurity = "security.istio.io";
  constexpr std::string_view kExtensions = "extensions.istio.io";
  const std::vector<std::string_view> all{"v1", "v1beta1", "v1alpha3"};
  const std::vector<std::string_view> security{"v1", "v1beta1"};
  return {
      kind<api::Service>("Service", "", {"v1"}, validate_service),
      kind<api::VirtualService>("VirtualService", kNetworking, all, validate_virtual_service),
      kind<api::DestinationRule>("DestinationRule", kNetworking, all, validate_destination_rule),
      kind<api::Gateway>("Gateway", kNetworking, all, validate_gateway),
      kind<api::ServiceEntry>("ServiceEntry", kNetworking, all, validate_service_entry),
      kind<api::WorkloadEntry>("WorkloadEntry", kNetworking, all, validate_workload_entry),
      kind<api::WorkloadGroup>("WorkloadGroup", kNetworking, all, validate_workload_group),
      kind<api::Sidecar>("Sidecar", kNetworking, all, validate_sidecar),
      kind<api::PeerAuthentication>("PeerAuthentication", kSecurity, security,
                                    validate_peer_authentication),
      kind<api::RequestAuthentication>("RequestAuthentication", kSecurity, security,
                                       validate_request_authentication, false),
      kind<api::AuthorizationPolicy>("AuthorizationPolicy", kSecurity, security,
                                     validate_authorization_policy, false),
      kind<api::Telemetry>("Telemetry", "telemetry.istio.io", {"v1", "v1alpha1"},
                           validate_telemetry, false),
      kind<api::ProxyConfig>("ProxyConfig", kNetworking, {"v1beta1"}, validate_proxy_config, false),
      kind<api::EnvoyFilter>("EnvoyFilter", kNetworking, {"v1alpha3"}, validate_envoy_filter,
                             false),
      kind<api::WasmPlugin>("WasmPlugin", kExtensions, {"v1alpha1"}, validate_wasm_plugin, false),
      kind<api::TrafficExtension>("TrafficExtension", kExtensions, {"v1alpha1"},
                                  validate_traffic_extension, false),
  };
}

}  // namespace

std::string Kind::api_version(std::string_view version) const {
  return group.empty() ? std::string(version) : fmt::format("{}/{}", group, version);
}

std::span<const Kind> all_kinds() {
  static const std::vector<Kind> kinds = make_kinds();
  return kinds;
}

const Kind* find_kind(std::string_view name) {
  for (const Kind& kind : all_kinds())
    if (kind.name == name) return &kind;
  return nullptr;
}

bool is_istio_group(std::string_view group) {
  for (const Kind& kind : all_kinds())
    if (!kind.group.empty() && kind.group == group) return true;
  return false;
}

}  // namespace sennit::mesh

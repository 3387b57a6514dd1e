#include "proxy/config/bootstrap.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "proxy/config/linked_types.h"
#include "proxy/config/supported_bootstrap_fields.h"
#include "proxy/config/yaml.h"

namespace sennit::proxy {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::core::v3::ApiConfigSource;
using envoy::config::core::v3::ConfigSource;

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("{}: {}", path, std::strerror(errno));
  std::ostringstream text;
  if (!(text << file.rdbuf())) return fail("{}: is empty or cannot be read", path);
  return std::move(text).str();
}

Status merge_file(const std::string& path, Bootstrap& bootstrap) {
  auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  if (!path.ends_with(".pb")) return parse_yaml_into(*text, path, bootstrap);
  Bootstrap parsed;
  if (!parsed.ParseFromString(*text)) return fail("{}: is not a Bootstrap in binary form", path);
  bootstrap.MergeFrom(parsed);
  return {};
}

Status check_api(const ApiConfigSource& api, const std::string& path) {
  if (api.api_type() != ApiConfigSource::GRPC && api.api_type() != ApiConfigSource::DELTA_GRPC &&
      api.api_type() != ApiConfigSource::AGGREGATED_GRPC &&
      api.api_type() != ApiConfigSource::AGGREGATED_DELTA_GRPC) {
    return fail("{}.api_type: {} is not supported (GRPC and DELTA_GRPC are)", path,
                ApiConfigSource::ApiType_Name(api.api_type()));
  }
  if (api.grpc_services_size() != 1) {
    return fail("{}.grpc_services: must name exactly one service", path);
  }
  if (api.grpc_services(0).envoy_grpc().cluster_name().empty()) {
    return fail("{}.grpc_services[0].envoy_grpc.cluster_name: is required", path);
  }
  return {};
}

Status check_source(const ConfigSource& source, const std::string& path) {
  switch (source.config_source_specifier_case()) {
    case ConfigSource::kAds:
      return {};
    case ConfigSource::kApiConfigSource:
      return check_api(source.api_config_source(), path + ".api_config_source");
    default:
      return fail("{}: must be ads or api_config_source", path);
  }
}

Status check_dynamic_resources(const Bootstrap::DynamicResources& dynamic) {
  const bool uses_ads = dynamic.lds_config().has_ads() || dynamic.cds_config().has_ads();
  if (uses_ads && !dynamic.has_ads_config()) {
    return fail("dynamic_resources.ads_config: is required where lds_config or cds_config is ads");
  }
  if (dynamic.has_ads_config()) {
    auto ok = check_api(dynamic.ads_config(), "dynamic_resources.ads_config");
    if (!ok) return ok;
  }
  if (dynamic.has_cds_config()) {
    auto ok = check_source(dynamic.cds_config(), "dynamic_resources.cds_config");
    if (!ok) return ok;
  }
  if (dynamic.has_lds_config()) {
    return check_source(dynamic.lds_config(), "dynamic_resources.lds_config");
  }
  return {};
}

}  // namespace

Status check_bootstrap(const Bootstrap& bootstrap) {
  auto known = refuse_unsupported_bootstrap_fields(bootstrap);
  if (!known) return known;
  if (bootstrap.has_dynamic_resources()) {
    if (bootstrap.node().id().empty()) {
      return fail("node.id: is required where there are dynamic_resources (or --service-node)");
    }
    auto ok = check_dynamic_resources(bootstrap.dynamic_resources());
    if (!ok) return ok;
  }
  for (int i = 0; i < bootstrap.layered_runtime().layers_size(); ++i) {
    const auto& layer = bootstrap.layered_runtime().layers(i);
    if (layer.has_static_layer() || layer.has_admin_layer()) continue;
    return fail("layered_runtime.layers[{}]: only static_layer and admin_layer are supported", i);
  }
  return {};
}

Result<Bootstrap> load_bootstrap(const BootstrapSource& source) {
  link_known_types();
  Bootstrap bootstrap;
  if (source.path.empty() && source.yaml.empty()) {
    return fail("at least one of --config-path and --config-yaml is needed");
  }
  if (!source.path.empty()) {
    auto ok = merge_file(source.path, bootstrap);
    if (!ok) return std::unexpected(ok.error());
  }
  if (!source.yaml.empty()) {
    auto ok = parse_yaml_into(source.yaml, "--config-yaml", bootstrap);
    if (!ok) return std::unexpected(ok.error());
  }
  if (!source.service_node.empty()) bootstrap.mutable_node()->set_id(source.service_node);
  if (!source.service_cluster.empty())
    bootstrap.mutable_node()->set_cluster(source.service_cluster);
  if (!source.service_zone.empty()) {
    bootstrap.mutable_node()->mutable_locality()->set_zone(source.service_zone);
  }
  auto ok = check_bootstrap(bootstrap);
  if (!ok) {
    return std::unexpected(ok.error().within(source.path.empty() ? "--config-yaml" : source.path));
  }
  return bootstrap;
}

}  // namespace sennit::proxy

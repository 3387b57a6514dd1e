#include "mesh/api/mesh_config.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "mesh/api/duration.h"
#include "mesh/api/field_decoder.h"

namespace sennit::mesh {
namespace {

using istio::v1::MeshConfig;

Diagnostic error_at(std::string_view file, int line, int column, std::string message) {
  return Diagnostic{Diagnostic::Level::Error,
                    Origin{std::string(file), line, column},
                    "MeshConfig",
                    "",
                    std::move(message),
                    ""};
}

bool has_error(const std::vector<Diagnostic>& diagnostics) {
  return std::ranges::any_of(diagnostics, [](const Diagnostic& diagnostic) {
    return diagnostic.level == Diagnostic::Level::Error;
  });
}

}  // namespace

MeshConfig default_mesh_config() {
  MeshConfig config;
  config.set_proxy_listen_port(15001);
  config.set_proxy_inbound_listen_port(15006);
  *config.mutable_connect_timeout() = to_proto(std::chrono::seconds(10));
  *config.mutable_protocol_detection_timeout() = to_proto(std::chrono::seconds(0));
  *config.mutable_dns_refresh_rate() = to_proto(std::chrono::seconds(60));
  config.set_enable_tracing(true);
  config.set_enable_auto_mtls(true);
  config.mutable_outbound_traffic_policy()->set_mode(MeshConfig::OutboundTrafficPolicy::ALLOW_ANY);
  config.set_trust_domain("cluster.local");
  config.set_root_namespace("istio-system");
  config.add_default_service_export_to("*");
  config.add_default_virtual_service_export_to("*");
  config.add_default_destination_rule_export_to("*");
  config.mutable_locality_lb_setting()->set_enabled(true);
  config.set_ingress_class("istio");
  config.set_ingress_controller_mode(MeshConfig::STRICT);
  config.set_enable_prometheus_merge(true);
  auto& retries = *config.mutable_default_http_retry_policy();
  retries.set_attempts(2);
  retries.set_retry_on(
      "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes");
  return config;
}

LoadedMeshConfig decode_mesh_config(std::string_view text, std::string_view file) {
  LoadedMeshConfig result{default_mesh_config(), {}};
  const YamlDocuments yaml = parse_yaml(text);
  if (yaml.syntax_error) {
    const YamlError& error = *yaml.syntax_error;
    result.diagnostics.push_back(error_at(file, error.line, error.column, error.message));
    return result;
  }
  for (const YamlError& error : yaml.errors)
    result.diagnostics.push_back(error_at(file, error.line, error.column, error.message));
  if (yaml.documents.empty()) return result;
  const YamlNode& document = yaml.documents.front();
  if (const YamlNode* kind = document.find("kind"); kind && kind->text == "ConfigMap") {
    const YamlNode* data = document.find("data");
    const YamlNode* mesh = data ? data->find("mesh") : nullptr;
    if (mesh && mesh->is_scalar()) return decode_mesh_config(mesh->text, file);
    result.diagnostics.push_back(
        error_at(file, document.line, document.column, "the ConfigMap has no data.mesh"));
    return result;
  }
  MeshConfig written;
  FieldDecoder decoder(std::string(file), "MeshConfig", result.diagnostics);
  decoder.decode(document, written, "");
  if (has_error(result.diagnostics)) return result;
  // Lists that are written replace the default; messages are merged into it.
  const auto* reflection = written.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(written, &fields);
  for (const auto* field : fields)
    if (field->is_repeated()) reflection->ClearField(&result.config, field);
  result.config.MergeFrom(written);
  return result;
}

LoadedMeshConfig load_mesh_config(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    LoadedMeshConfig result{default_mesh_config(), {}};
    result.diagnostics.push_back(error_at(file.string(), 0, 0, "cannot be read"));
    return result;
  }
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  return decode_mesh_config(text, file.string());
}

}  // namespace sennit::mesh

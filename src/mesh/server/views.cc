#include "mesh/server/views.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "mesh/api/istio/workload_group.pb.h"

namespace sennit::mesh {
namespace {

using nlohmann::json;

std::string_view level_name(Diagnostic::Level level) {
  switch (level) {
    case Diagnostic::Level::Error:
      return "error";
    case Diagnostic::Level::Warning:
      return "warning";
    default:
      return "info";
  }
}

std::string_view resolution_name(Resolution resolution) {
  switch (resolution) {
    case Resolution::Static:
      return "STATIC";
    case Resolution::Dns:
      return "DNS";
    case Resolution::DnsRoundRobin:
      return "DNS_ROUND_ROBIN";
    default:
      return "NONE";
  }
}

}  // namespace

std::string sync_view(const std::vector<Session::Snapshot>& sessions) {
  json proxies = json::array();
  for (const Session::Snapshot& session : sessions) {
    json types = json::object();
    for (const Session::TypeStatus& type : session.types) {
      json& entry = types[type.type];
      entry["resources"] = type.resources;
      entry["status"] = !type.rejection.empty() ? "NACK" : type.acknowledged ? "SYNCED" : "SENT";
      if (!type.rejection.empty()) entry["error"] = type.rejection;
    }
    const Proxy& proxy = *session.proxy;
    proxies.push_back({{"id", proxy.id},
                       {"name", proxy.workload_name},
                       {"namespace", proxy.namespace_},
                       {"ip", proxy.ip},
                       {"kind", proxy.type == Proxy::Type::Router ? "gateway" : "sidecar"},
                       {"proxy", session.user_agent},
                       {"xds", session.delta ? "delta" : "state of the world"},
                       {"admin", session.admin_address},
                       {"connected_at", std::chrono::system_clock::to_time_t(session.connected)},
                       {"types", types}});
  }
  return json{{"proxies", proxies}}.dump(1) + "\n";
}

std::string config_view(const std::vector<ResourcePtr>& resources) {
  json items = json::array();
  for (const ResourcePtr& resource : resources) {
    std::string spec;
    if (resource->spec) (void)google::protobuf::util::MessageToJsonString(*resource->spec, &spec);
    items.push_back({{"apiVersion", resource->api_version},
                     {"kind", resource->kind},
                     {"metadata",
                      {{"name", resource->name},
                       {"namespace", resource->namespace_},
                       {"labels", resource->labels},
                       {"annotations", resource->annotations}}},
                     {"origin", resource->origin.to_string()},
                     {"spec", json::parse(spec, nullptr, false)}});
  }
  return json{{"resources", items}}.dump(1) + "\n";
}

std::string endpoint_view(const Mesh& mesh) {
  json services = json::array();
  for (const ServicePtr& service : mesh.services()) {
    json ports = json::array(), endpoints = json::array();
    for (const ServicePort& port : service->ports)
      ports.push_back({{"name", port.name}, {"number", port.number}});
    for (const WorkloadPtr& workload : *mesh.workloads(*service))
      endpoints.push_back({{"address", workload->address},
                           {"name", workload->name},
                           {"labels", workload->labels},
                           {"serviceAccount", workload->service_account},
                           {"mtls", workload->mutual_tls}});
    services.push_back({{"hostname", service->hostname},
                        {"namespace", service->namespace_},
                        {"resolution", resolution_name(service->resolution)},
                        {"ports", ports},
                        {"endpoints", endpoints}});
  }
  return json{{"services", services}}.dump(1) + "\n";
}

std::string diagnostics_view(const std::vector<Diagnostic>& diagnostics) {
  json items = json::array();
  for (const Diagnostic& diagnostic : diagnostics)
    items.push_back({{"level", level_name(diagnostic.level)},
                     {"file", diagnostic.origin.file},
                     {"line", diagnostic.origin.line},
                     {"column", diagnostic.origin.column},
                     {"resource", diagnostic.resource},
                     {"field", diagnostic.field_path},
                     {"message", diagnostic.message},
                     {"code", diagnostic.code},
                     {"text", diagnostic.to_string()}});
  return json{{"diagnostics", items}}.dump(1) + "\n";
}

std::string workload_group_view(const Resource& resource, const std::string& trust_domain) {
  const auto& group = resource.as<api::WorkloadGroup>();
  std::map<std::string, std::string> labels(group.template_().labels().begin(),
                                            group.template_().labels().end());
  labels.insert(group.metadata().labels().begin(), group.metadata().labels().end());
  std::map<std::string, uint32_t> ports(group.template_().ports().begin(),
                                        group.template_().ports().end());
  const std::string& account = group.template_().service_account();
  return json{{"name", resource.name},
              {"namespace", resource.namespace_},
              {"serviceAccount", account.empty() ? "default" : account},
              {"trustDomain", trust_domain},
              {"network", group.template_().network()},
              {"locality", group.template_().locality()},
              {"labels", labels},
              {"ports", ports}}
             .dump(1) +
         "\n";
}

std::string metrics_view(const ControlFigures& figures) {
  std::string text;
  auto add = [&](std::string_view name, std::string_view type, auto value,
                 std::string_view labels = "") {
    text += fmt::format("# TYPE {} {}\n{}{} {}\n", name, type, name, labels, value);
  };
  add("pilot_xds", "gauge", figures.connected);
  add("pilot_services", "gauge", figures.services);
  add("pilot_virt_services", "gauge", figures.virtual_services);
  add("pilot_total_xds_rejects", "counter", figures.rejections);
  add("sennit_control_pushes_total", "counter", figures.pushes);
  add("sennit_control_responses_total", "counter", figures.responses);
  add("sennit_control_response_bytes_total", "counter", figures.response_bytes);
  add("sennit_control_last_build_seconds", "gauge",
      static_cast<double>(figures.last_build.count()) / 1e6);
  add("sennit_control_config_errors", "gauge", figures.errors);
  add("sennit_control_config_warnings", "gauge", figures.warnings);
  add("citadel_server_success_cert_issuance_count", "counter", figures.certificates);
  return text;
}

}  // namespace sennit::mesh

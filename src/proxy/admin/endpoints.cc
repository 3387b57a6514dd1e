#include "proxy/admin/endpoints.h"

#include <envoy/admin/v3/certs.pb.h>
#include <envoy/admin/v3/config_dump.pb.h>
#include <envoy/admin/v3/listeners.pb.h>
#include <envoy/admin/v3/memory.pb.h>
#include <google/protobuf/util/time_util.h>
#include <malloc.h>
#include <spdlog/spdlog.h>

#include "proxy/config/yaml.h"

namespace sennit::proxy {
namespace {

constexpr char kJson[] = "application/json";

google::protobuf::Timestamp timestamp(std::chrono::system_clock::time_point time) {
  return google::protobuf::util::TimeUtil::MillisecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

AdminResponse json(const google::protobuf::Message& message, bool with_defaults = false) {
  auto text = to_json(message, true, with_defaults);
  if (!text) return {.status = 500, .body = text.error().message + "\n"};
  return {.body = std::move(*text), .content_type = kJson};
}

AdminResponse ok() {
  return {.body = "OK\n"};
}

AdminResponse ready(const AdminContext& context) {
  const auto state = context.server_info().state();
  return {.status = state == envoy::admin::v3::ServerInfo::LIVE ? 200 : 503,
          .body = envoy::admin::v3::ServerInfo::State_Name(state) + "\n"};
}

AdminResponse stats(const AdminContext& context, const AdminRequest& request) {
  const std::string filter = request.get("filter"), format = request.get("format");
  if (auto valid = stats::Registry::check_filter(filter); !valid) {
    return {.status = 400, .body = valid.error().message + "\n"};
  }
  const bool used_only = request.has("usedonly");
  if (format == "json")
    return {.body = context.stats.json(filter, used_only), .content_type = kJson};
  if (format == "prometheus" || request.path == "/stats/prometheus") {
    return {.body = context.stats.prometheus(filter, used_only)};
  }
  if (!format.empty() && format != "text") {
    return {.status = 400, .body = "usage: /stats?format=(text|json|prometheus)\n"};
  }
  return {.body = context.stats.text(filter, used_only)};
}

AdminResponse listeners(const AdminContext& context, const AdminRequest& request) {
  if (request.get("format") != "json") {
    std::string text;
    for (const auto& [name, address] : context.listeners()) {
      text += fmt::format("{}::{}\n", name, address.to_string());
    }
    return {.body = std::move(text)};
  }
  envoy::admin::v3::Listeners message;
  for (const auto& [name, address] : context.listeners()) {
    auto* status = message.add_listener_statuses();
    status->set_name(name);
    if (!address.is_ip()) {
      status->mutable_local_address()->mutable_pipe()->set_path(address.to_string());
      continue;
    }
    auto* socket = status->mutable_local_address()->mutable_socket_address();
    socket->set_address(address.ip_string());
    socket->set_port_value(address.port());
  }
  return json(message);
}

AdminResponse clusters(const AdminContext& context, const AdminRequest& request) {
  if (request.get("format") == "json") return json(context.clusters.clusters_status());
  return {.body = context.clusters.clusters_text()};
}

envoy::admin::v3::ClustersConfigDump dump_clusters(const ClusterManager& clusters) {
  envoy::admin::v3::ClustersConfigDump dump;
  for (const auto& entry : clusters.config_entries()) {
    if (entry.is_static) {
      auto* out = dump.add_static_clusters();
      out->mutable_cluster()->PackFrom(entry.cluster);
      *out->mutable_last_updated() = timestamp(entry.last_updated);
      continue;
    }
    auto* out =
        entry.warming ? dump.add_dynamic_warming_clusters() : dump.add_dynamic_active_clusters();
    out->set_version_info(entry.version);
    out->mutable_cluster()->PackFrom(entry.cluster);
    *out->mutable_last_updated() = timestamp(entry.last_updated);
  }
  return dump;
}

envoy::admin::v3::EndpointsConfigDump dump_endpoints(const ClusterManager& clusters) {
  envoy::admin::v3::EndpointsConfigDump dump;
  for (const auto& entry : clusters.endpoint_entries()) {
    auto* out = dump.add_dynamic_endpoint_configs();
    out->set_version_info(entry.version);
    out->mutable_endpoint_config()->PackFrom(entry.assignment);
    *out->mutable_last_updated() = timestamp(entry.last_updated);
  }
  return dump;
}

envoy::admin::v3::SecretsConfigDump dump_secrets(const SecretManager& secrets) {
  envoy::admin::v3::SecretsConfigDump dump;
  for (const auto& entry : secrets.entries()) {
    auto* out =
        entry.present ? dump.add_dynamic_active_secrets() : dump.add_dynamic_warming_secrets();
    out->set_name(entry.name);
    out->set_version_info(entry.version_info);
    *out->mutable_last_updated() = timestamp(entry.last_updated);
  }
  return dump;
}

AdminResponse config_dump(const AdminContext& context, const AdminRequest& request) {
  for (const char* refused : {"resource", "mask", "name_regex"}) {
    if (!request.has(refused)) continue;
    return {.status = 400, .body = fmt::format("{}: is not supported\n", refused)};
  }
  envoy::admin::v3::ConfigDump dump;
  for (const auto& part : context.config_dumps()) dump.add_configs()->PackFrom(*part);
  dump.add_configs()->PackFrom(dump_clusters(context.clusters));
  dump.add_configs()->PackFrom(dump_secrets(context.secrets));
  if (request.has("include_eds")) {
    dump.add_configs()->PackFrom(dump_endpoints(context.clusters));
  }
  redact_secrets(dump);
  return json(dump);
}

AdminResponse logging(const AdminContext& context, const AdminRequest& request) {
  if (request.has("level") && !context.set_log_level(request.get("level"))) {
    return {.status = 400, .body = fmt::format("no such level: {}\n", request.get("level"))};
  }
  const auto level = spdlog::level::to_string_view(spdlog::get_level());
  return {.body = fmt::format("active loggers:\n  all: {}\n",
                              std::string_view(level.data(), level.size()))};
}

AdminResponse certs(const AdminContext& context) {
  std::string text;
  for (const auto& entry : context.secrets.entries()) {
    text +=
        fmt::format("{}: {}, {}\n", entry.name, entry.kind, entry.present ? "present" : "awaited");
  }
  if (const auto expiry = context.secrets.first_expiry()) {
    text += fmt::format("seconds_until_first_cert_expiring: {}\n", expiry->count());
  }
  return {.body = std::move(text)};
}

AdminResponse memory() {
  const auto info = mallinfo2();
  envoy::admin::v3::Memory message;
  message.set_allocated(info.uordblks + info.hblkhd);
  message.set_heap_size(info.arena + info.hblkhd);
  message.set_pageheap_unmapped(info.fordblks);
  return json(message);
}

}  // namespace

std::vector<AdminHandler> admin_handlers(AdminContext context) {
  const auto shared = std::make_shared<AdminContext>(std::move(context));
  using Request = const AdminRequest&;
  return {
      {"/certs", "certificates and when the first one ends", false,
       [shared](Request) { return certs(*shared); }},
      {"/clusters", "upstream cluster status (?format=json)", false,
       [shared](Request request) { return clusters(*shared, request); }},
      {"/config_dump", "the configuration in use (?include_eds)", false,
       [shared](Request request) { return config_dump(*shared, request); }},
      {"/drain_listeners", "stop accepting and drain (?graceful)", true,
       [shared](Request request) {
         shared->drain_listeners(request.has("graceful"));
         return ok();
       }},
      {"/listeners", "listeners and their addresses (?format=json)", false,
       [shared](Request request) { return listeners(*shared, request); }},
      {"/logging", "show or set the log level (?level=NAME)", true,
       [shared](Request request) { return logging(*shared, request); }},
      {"/memory", "memory in use", false, [](Request) { return memory(); }},
      {"/quitquitquit", "exit", true,
       [shared](Request) {
         shared->quit();
         return ok();
       }},
      {"/ready", "LIVE, or 503 and the state", false, [shared](Request) { return ready(*shared); }},
      {"/reset_counters", "count from zero again", true,
       [shared](Request) {
         shared->stats.reset_counters();
         return ok();
       }},
      {"/server_info", "version, state and command line", false,
       [shared](Request) { return json(shared->server_info(), true); }},
      {"/stats", "statistics (?usedonly, ?filter=RE2, ?format=text|json|prometheus)", false,
       [shared](Request request) { return stats(*shared, request); }},
      {"/stats/prometheus", "statistics in Prometheus' format", false,
       [shared](Request request) { return stats(*shared, request); }},
  };
}

}  // namespace sennit::proxy

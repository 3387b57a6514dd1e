#include "cli/sidecar/bootstrap.h"

#include <nlohmann/json.hpp>

namespace sennit::cli {
namespace {

using nlohmann::json;

constexpr char kTypes[] = "type.googleapis.com/";

json socket_address(const std::string& host, uint16_t port) {
  return {{"socket_address", {{"address", host}, {"port_value", port}}}};
}

json grpc_cluster(const std::string& name, const json& address, bool by_name) {
  return {
      {"name", name},
      {"type", by_name ? "STRICT_DNS" : "STATIC"},
      {"connect_timeout", "1s"},
      {"typed_extension_protocol_options",
       {{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
         {{"@type", std::string(kTypes) + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"},
          {"explicit_http_config", {{"http2_protocol_options", json::object()}}}}}}},
      {"load_assignment",
       {{"cluster_name", name},
        {"endpoints", json::array({{{"lb_endpoints",
                                     json::array({{{"endpoint", {{"address", address}}}}})}}})}}}};
}

json sds_secret(const char* name) {
  return {
      {"name", name},
      {"sds_config",
       {{"resource_api_version", "V3"},
        {"api_config_source",
         {{"api_type", "GRPC"},
          {"transport_api_version", "V3"},
          {"grpc_services", json::array({{{"envoy_grpc", {{"cluster_name", "sds-grpc"}}}}})}}}}}};
}

json mutual_tls(const std::string& server_name) {
  json san = {{"san_type", "DNS"}, {"matcher", {{"exact", server_name}}}};
  return {
      {"name", "envoy.transport_sockets.tls"},
      {"typed_config",
       {{"@type",
         std::string(kTypes) + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"},
        {"sni", server_name},
        {"common_tls_context",
         {{"alpn_protocols", {"h2"}},
          {"tls_certificate_sds_secret_configs", json::array({sds_secret("default")})},
          {"combined_validation_context",
           {{"default_validation_context", {{"match_typed_subject_alt_names", json::array({san})}}},
            {"validation_context_sds_secret_config", sds_secret("ROOTCA")}}}}}}}};
}

json control_cluster(const BootstrapOptions& options) {
  const size_t colon = options.control_address.rfind(':');
  std::string host = options.control_address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto port = static_cast<uint16_t>(std::stoi(options.control_address.substr(colon + 1)));
  const bool literal = host.find_first_not_of("0123456789.") == std::string::npos ||
                       host.find(':') != std::string::npos;
  json cluster = grpc_cluster("xds-grpc", socket_address(host, port), !literal);
  // A dead control plane is noticed by keepalive rather than by the next push that never comes.
  cluster["upstream_connection_options"] = {
      {"tcp_keepalive",
       {{"keepalive_time", 30}, {"keepalive_interval", 10}, {"keepalive_probes", 3}}}};
  if (!options.control_plaintext) cluster["transport_socket"] = mutual_tls(options.control_name);
  return cluster;
}

json node_metadata(const BootstrapOptions& options) {
  const Workload& workload = options.workload;
  json metadata = {
      {"NAMESPACE", workload.namespace_},
      {"WORKLOAD_NAME", workload.name},
      {"NAME", workload.name},
      {"SERVICE_ACCOUNT", workload.service_account},
      {"LABELS", workload.labels},
      {"INSTANCE_IPS", options.address},
      {"CLUSTER_ID", "Kubernetes"},
      {"MESH_ID", workload.trust_domain},
      {"INTERCEPTION_MODE", "NONE"},
      {"LOOPBACK_PREFIX", options.loopback_prefix},
      {"ADMIN_ADDRESS", options.admin_address + ":" + std::to_string(options.admin_port)}};
  if (workload.kind == Workload::Kind::Sidecar) {
    metadata["AUTO_REGISTER_GROUP"] = workload.name;
    metadata["INBOUND_PORTS"] = options.inbound_ports;
    metadata["APP_PORTS"] = workload.ports;
    metadata["HTTP_PROXY_PORT"] = options.http_proxy_port;
  }
  if (!workload.network.empty()) metadata["NETWORK"] = workload.network;
  return metadata;
}

json node_locality(const std::string& locality) {
  json result = json::object();
  size_t start = 0;
  for (const char* part : {"region", "zone", "sub_zone"}) {
    size_t slash = locality.find('/', start);
    std::string value = locality.substr(start, slash - start);
    if (!value.empty()) result[part] = value;
    if (slash == std::string::npos) break;
    start = slash + 1;
  }
  return result;
}

}  // namespace

std::string make_bootstrap(const BootstrapOptions& options) {
  const Workload& workload = options.workload;
  const bool gateway = workload.kind == Workload::Kind::Gateway;
  const std::string domain = workload.namespace_ + ".svc.cluster.local";
  json ads = {
      {"ads", json::object()}, {"resource_api_version", "V3"}, {"initial_fetch_timeout", "0s"}};
  json bootstrap = {
      {"node",
       {{"id", fmt::format("{}~{}~{}.{}~{}", gateway ? "router" : "sidecar", options.address,
                           workload.name, workload.namespace_, domain)},
        {"cluster", workload.name + "." + workload.namespace_},
        {"locality", node_locality(workload.locality)},
        {"metadata", node_metadata(options)}}},
      {"admin", {{"address", socket_address(options.admin_address, options.admin_port)}}},
      {"dynamic_resources",
       {{"lds_config", ads},
        {"cds_config", ads},
        {"ads_config",
         {{"api_type", "DELTA_GRPC"},
          {"transport_api_version", "V3"},
          {"set_node_on_first_message_only", true},
          {"grpc_services", json::array({{{"envoy_grpc", {{"cluster_name", "xds-grpc"}}}}})}}}}},
      {"static_resources",
       {{"clusters",
         json::array({control_cluster(options),
                      grpc_cluster("sds-grpc", {{"pipe", {{"path", options.sds_socket.string()}}}},
                                   false)})}}}};
  return bootstrap.dump(1) + "\n";
}

}  // namespace sennit::cli

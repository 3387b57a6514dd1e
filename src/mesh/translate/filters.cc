#include "mesh/translate/filters.h"

#include <envoy/extensions/filters/http/cors/v3/cors.pb.h>
#include <envoy/extensions/filters/http/fault/v3/fault.pb.h>
#include <envoy/extensions/filters/http/grpc_stats/v3/config.pb.h>
#include <envoy/extensions/filters/http/router/v3/router.pb.h>
#include <envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h>
#include <envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h>
#include <envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h>
#include <envoy/extensions/request_id/uuid/v3/uuid.pb.h>

#include "mesh/translate/access_log.h"

namespace sennit::mesh {

namespace {

// A ClientHello of the usual size fits; larger ones grow the buffer.
constexpr uint32_t kInspectorBufferBytes = 512;

void add_http_filter(const char* name, const google::protobuf::Message& config,
                     HttpManager& manager) {
  auto* filter = manager.add_http_filters();
  filter->set_name(name);
  *filter->mutable_typed_config() = pack(config);
}

void normalize_paths(const Mesh& mesh, HttpManager& manager) {
  using Paths = api::MeshConfig::ProxyPathNormalization;
  auto mode = mesh.config().path_normalization().normalization();
  manager.set_path_with_escaped_slashes_action(HttpManager::KEEP_UNCHANGED);
  if (mode == Paths::NONE) return;
  manager.mutable_normalize_path()->set_value(true);
  if (mode == Paths::MERGE_SLASHES || mode == Paths::DECODE_AND_MERGE_SLASHES) {
    manager.set_merge_slashes(true);
  }
  if (mode == Paths::DECODE_AND_MERGE_SLASHES) {
    manager.set_path_with_escaped_slashes_action(HttpManager::UNESCAPE_AND_FORWARD);
  }
}

void peer_details(Direction direction, HttpManager& manager) {
  manager.mutable_use_remote_address()->set_value(direction == Direction::Gateway);
  if (direction == Direction::Outbound) return;
  manager.set_server_name("istio-envoy");
  manager.set_forward_client_cert_details(
      direction == Direction::Inbound ? HttpManager::APPEND_FORWARD : HttpManager::SANITIZE_SET);
  auto* details = manager.mutable_set_current_client_cert_details();
  details->mutable_subject()->set_value(true);
  details->set_dns(true);
  details->set_uri(true);
  if (direction == Direction::Gateway) details->set_cert(true);
}

}  // namespace

HttpManager make_http_manager(const Mesh& mesh, const Proxy& proxy, Direction direction,
                              const std::string& stat_prefix) {
  HttpManager manager;
  manager.set_stat_prefix(stat_prefix + ";");
  normalize_paths(mesh, manager);
  peer_details(direction, manager);
  manager.set_proxy_100_continue(true);
  *manager.mutable_stream_idle_timeout() = seconds(0);
  manager.add_upgrade_configs()->set_upgrade_type("websocket");
  envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig request_id;
  request_id.mutable_use_request_id_for_trace_sampling()->set_value(true);
  *manager.mutable_request_id_extension()->mutable_typed_config() = pack(request_id);
  add_access_log(mesh, *manager.mutable_access_log());

  add_peer_metadata(proxy, direction, manager);
  envoy::extensions::filters::http::grpc_stats::v3::FilterConfig grpc_stats;
  grpc_stats.set_emit_filter_state(true);
  grpc_stats.mutable_stats_for_all_methods()->set_value(false);
  add_http_filter("envoy.filters.http.grpc_stats", grpc_stats, manager);
  if (direction != Direction::Inbound) add_alpn(proxy, manager);
  add_http_filter("envoy.filters.http.fault",
                  envoy::extensions::filters::http::fault::v3::HTTPFault(), manager);
  add_http_filter("envoy.filters.http.cors", envoy::extensions::filters::http::cors::v3::Cors(),
                  manager);
  add_http_stats(proxy, direction, manager);
  add_http_filter("envoy.filters.http.router",
                  envoy::extensions::filters::http::router::v3::Router(), manager);
  return manager;
}

void use_rds(HttpManager& manager, const std::string& route_name) {
  manager.mutable_rds()->set_route_config_name(route_name);
  *manager.mutable_rds()->mutable_config_source() = ads_source();
}

void add_http_manager(const HttpManager& manager, FilterChain& chain) {
  auto* filter = chain.add_filters();
  filter->set_name("envoy.filters.network.http_connection_manager");
  *filter->mutable_typed_config() = pack(manager);
}

void add_tcp_proxy(const Mesh& mesh, const Proxy& proxy, Direction direction,
                   std::string_view cluster, bool logged, FilterChain& chain) {
  add_network_stats(proxy, direction, chain);
  envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy tcp;
  tcp.set_stat_prefix(std::string(cluster));
  tcp.set_cluster(std::string(cluster));
  if (logged) add_access_log(mesh, *tcp.mutable_access_log());
  auto* filter = chain.add_filters();
  filter->set_name("envoy.filters.network.tcp_proxy");
  *filter->mutable_typed_config() = pack(tcp);
}

void add_tls_inspector(Listener& listener) {
  envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector config;
  config.mutable_initial_read_buffer_size()->set_value(kInspectorBufferBytes);
  auto* filter = listener.add_listener_filters();
  filter->set_name("envoy.filters.listener.tls_inspector");
  *filter->mutable_typed_config() = pack(config);
}

void add_http_inspector(Listener& listener) {
  auto* filter = listener.add_listener_filters();
  filter->set_name("envoy.filters.listener.http_inspector");
  *filter->mutable_typed_config() =
      pack(envoy::extensions::filters::listener::http_inspector::v3::HttpInspector());
}

Listener make_listener(std::string name, const std::string& address, uint32_t port, bool inbound) {
  Listener listener;
  listener.set_name(std::move(name));
  *listener.mutable_address() = socket_address(address, port);
  listener.set_traffic_direction(inbound ? envoy::config::core::v3::INBOUND
                                         : envoy::config::core::v3::OUTBOUND);
  return listener;
}

}  // namespace sennit::mesh

#include "mesh/translate/traffic_policy.h"

#include <envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h>

#include <algorithm>
#include <limits>

namespace sennit::mesh {

namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
using HttpOptions = envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
constexpr uint32_t kUnlimited = std::numeric_limits<uint32_t>::max();

void overlay(const api::TrafficPolicy& from, api::TrafficPolicy& into) {
  if (from.has_load_balancer()) *into.mutable_load_balancer() = from.load_balancer();
  if (from.has_connection_pool()) *into.mutable_connection_pool() = from.connection_pool();
  if (from.has_outlier_detection()) *into.mutable_outlier_detection() = from.outlier_detection();
  if (from.has_tls()) *into.mutable_tls() = from.tls();
  if (from.has_proxy_protocol()) *into.mutable_proxy_protocol() = from.proxy_protocol();
  if (!from.port_level_settings().empty()) {
    *into.mutable_port_level_settings() = from.port_level_settings();
  }
}

uint32_t limit(int32_t written) {
  return written > 0 ? static_cast<uint32_t>(written) : kUnlimited;
}

}  // namespace

api::TrafficPolicy effective_policy(const DestinationRuleEntry* rule, std::string_view subset,
                                    uint32_t port) {
  api::TrafficPolicy policy;
  if (rule == nullptr) return policy;
  policy = rule->spec.traffic_policy();
  if (!subset.empty()) {
    auto found = std::ranges::find_if(rule->spec.subsets(),
                                      [&](const auto& one) { return one.name() == subset; });
    if (found != rule->spec.subsets().end()) overlay(found->traffic_policy(), policy);
  }
  auto at = std::ranges::find_if(policy.port_level_settings(), [&](const auto& settings) {
    return settings.port().number() == port;
  });
  if (at == policy.port_level_settings().end()) return policy;
  api::TrafficPolicy replaced;
  if (at->has_load_balancer()) *replaced.mutable_load_balancer() = at->load_balancer();
  if (at->has_connection_pool()) *replaced.mutable_connection_pool() = at->connection_pool();
  if (at->has_outlier_detection()) *replaced.mutable_outlier_detection() = at->outlier_detection();
  if (at->has_tls()) *replaced.mutable_tls() = at->tls();
  return replaced;
}

UpstreamHttp upstream_http(const Mesh& mesh, const ServicePort& port,
                           const api::TrafficPolicy& policy, bool inbound) {
  using Http = api::ConnectionPoolSettings::HTTPSettings;
  if (is_http2(port.protocol)) return UpstreamHttp::Http2;
  const auto& http = policy.connection_pool().http();
  if (http.use_client_protocol() && !inbound && port.protocol != Protocol::Tcp) {
    return UpstreamHttp::FollowsClient;
  }
  bool upgrade = http.h2_upgrade_policy() == Http::UPGRADE ||
                 (http.h2_upgrade_policy() == Http::DEFAULT &&
                  mesh.config().h2_upgrade_policy() == api::MeshConfig::UPGRADE);
  if (upgrade && !inbound && port.protocol == Protocol::Http) return UpstreamHttp::Http2;
  if (port.protocol == Protocol::Auto) return UpstreamHttp::FollowsClient;
  return is_http(port.protocol) ? UpstreamHttp::Http1 : UpstreamHttp::None;
}

void unlimited_thresholds(cluster_v3::Cluster& cluster) {
  auto* thresholds = cluster.mutable_circuit_breakers()->add_thresholds();
  thresholds->mutable_max_connections()->set_value(kUnlimited);
  thresholds->mutable_max_pending_requests()->set_value(kUnlimited);
  thresholds->mutable_max_requests()->set_value(kUnlimited);
  thresholds->mutable_max_retries()->set_value(kUnlimited);
}

void apply_connection_pool(const Mesh& mesh, const api::ConnectionPoolSettings& pool,
                           cluster_v3::Cluster& cluster) {
  const auto& tcp = pool.tcp();
  const auto& http = pool.http();
  unlimited_thresholds(cluster);
  auto* thresholds = cluster.mutable_circuit_breakers()->mutable_thresholds(0);
  thresholds->mutable_max_connections()->set_value(limit(tcp.max_connections()));
  thresholds->mutable_max_pending_requests()->set_value(limit(http.http1_max_pending_requests()));
  thresholds->mutable_max_requests()->set_value(limit(http.http2_max_requests()));
  thresholds->mutable_max_retries()->set_value(limit(http.max_retries()));
  if (tcp.has_connect_timeout()) *cluster.mutable_connect_timeout() = tcp.connect_timeout();
  const auto& keepalive =
      tcp.has_tcp_keepalive() ? tcp.tcp_keepalive() : mesh.config().tcp_keepalive();
  if (tcp.has_tcp_keepalive() || mesh.config().has_tcp_keepalive()) {
    auto* options = cluster.mutable_upstream_connection_options()->mutable_tcp_keepalive();
    if (keepalive.probes() > 0) options->mutable_keepalive_probes()->set_value(keepalive.probes());
    if (keepalive.has_time()) {
      options->mutable_keepalive_time()->set_value(
          static_cast<uint32_t>(keepalive.time().seconds()));
    }
    if (keepalive.has_interval()) {
      options->mutable_keepalive_interval()->set_value(
          static_cast<uint32_t>(keepalive.interval().seconds()));
    }
  }
}

void apply_http_options(UpstreamHttp http, const api::TrafficPolicy& policy, bool auto_sni,
                        bool auto_san, cluster_v3::Cluster& cluster) {
  const auto& settings = policy.connection_pool().http();
  const auto& tcp = policy.connection_pool().tcp();
  HttpOptions options;
  bool common = settings.has_idle_timeout() || settings.max_requests_per_connection() > 0 ||
                tcp.has_max_connection_duration();
  if (settings.has_idle_timeout()) {
    *options.mutable_common_http_protocol_options()->mutable_idle_timeout() =
        settings.idle_timeout();
  }
  if (settings.max_requests_per_connection() > 0) {
    options.mutable_common_http_protocol_options()
        ->mutable_max_requests_per_connection()
        ->set_value(static_cast<uint32_t>(settings.max_requests_per_connection()));
  }
  if (tcp.has_max_connection_duration()) {
    *options.mutable_common_http_protocol_options()->mutable_max_connection_duration() =
        tcp.max_connection_duration();
  }
  if (http == UpstreamHttp::None && !common && !auto_sni) return;
  if (http == UpstreamHttp::Http1 && !common && !auto_sni) return;
  auto streams = [&](envoy::config::core::v3::Http2ProtocolOptions* http2) {
    if (settings.max_concurrent_streams() > 0) {
      http2->mutable_max_concurrent_streams()->set_value(
          static_cast<uint32_t>(settings.max_concurrent_streams()));
    }
  };
  if (http == UpstreamHttp::FollowsClient) {
    options.mutable_use_downstream_protocol_config()->mutable_http_protocol_options();
    streams(options.mutable_use_downstream_protocol_config()->mutable_http2_protocol_options());
  } else if (http == UpstreamHttp::Http2) {
    streams(options.mutable_explicit_http_config()->mutable_http2_protocol_options());
  } else {
    options.mutable_explicit_http_config()->mutable_http_protocol_options();
  }
  if (auto_sni) {
    options.mutable_upstream_http_protocol_options()->set_auto_sni(true);
    options.mutable_upstream_http_protocol_options()->set_auto_san_validation(auto_san);
  }
  (*cluster.mutable_typed_extension_protocol_options())
      ["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"] = pack(options);
}

void apply_outlier_detection(const api::OutlierDetection& detection, cluster_v3::Cluster& cluster) {
  auto* out = cluster.mutable_outlier_detection();
  if (detection.has_base_ejection_time()) {
    *out->mutable_base_ejection_time() = detection.base_ejection_time();
  }
  if (detection.has_interval()) *out->mutable_interval() = detection.interval();
  out->mutable_enforcing_success_rate()->set_value(0);
  if (detection.has_consecutive_5xx_errors()) {
    uint32_t errors = detection.consecutive_5xx_errors();
    out->mutable_consecutive_5xx()->set_value(errors);
    out->mutable_enforcing_consecutive_5xx()->set_value(errors > 0 ? 100 : 0);
  }
  if (detection.has_consecutive_gateway_errors()) {
    uint32_t errors = detection.consecutive_gateway_errors();
    out->mutable_consecutive_gateway_failure()->set_value(errors);
    out->mutable_enforcing_consecutive_gateway_failure()->set_value(errors > 0 ? 100 : 0);
  }
  if (detection.max_ejection_percent() > 0) {
    out->mutable_max_ejection_percent()->set_value(
        static_cast<uint32_t>(detection.max_ejection_percent()));
  }
  if (detection.split_external_local_origin_errors()) {
    out->set_split_external_local_origin_errors(true);
    if (detection.has_consecutive_local_origin_failures()) {
      out->mutable_consecutive_local_origin_failure()->set_value(
          detection.consecutive_local_origin_failures());
      out->mutable_enforcing_consecutive_local_origin_failure()->set_value(
          detection.consecutive_local_origin_failures() > 0 ? 100 : 0);
    }
    out->mutable_enforcing_local_origin_success_rate()->set_value(0);
  }
  // Istio's own default: panic routing is off unless a share of healthy hosts is asked for.
  cluster.mutable_common_lb_config()->mutable_healthy_panic_threshold()->set_value(
      detection.min_health_percent());
}

const api::LocalityLoadBalancerSetting* locality_setting(const Mesh& mesh,
                                                         const api::TrafficPolicy& policy) {
  const auto& own = policy.load_balancer();
  const auto& setting = own.has_locality_lb_setting() ? own.locality_lb_setting()
                                                      : mesh.config().locality_lb_setting();
  if (setting.has_enabled() && !setting.enabled()) return nullptr;
  return &setting;
}

}  // namespace sennit::mesh

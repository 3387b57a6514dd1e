#include "proxy/upstream/cluster_config.h"

#include <algorithm>

#include <istio/metadata_exchange.pb.h>

#include "proxy/config/any.h"
#include "proxy/upstream/cluster_compile.h"
#include "proxy/upstream/cluster_stats.h"
#include "proxy/upstream/supported_fields.h"

namespace sennit::proxy {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
namespace core_v3 = envoy::config::core::v3;

constexpr uint32_t kMaxTransportMatches = 64;  // Istio sends two

uint32_t value_or(bool has, const google::protobuf::UInt32Value& value, uint32_t otherwise) {
  return has ? value.value() : otherwise;
}

Status compile_breakers(const cluster_v3::Cluster& cluster, ClusterInfo& info,
                        ClusterConfig& config) {
  const auto& breakers = cluster.circuit_breakers();
  SENNIT_RETURN_IF_ERROR(only_fields(breakers, "circuit_breakers", {"thresholds"}));
  for (int i = 0; i < breakers.thresholds_size(); ++i) {
    const auto& from = breakers.thresholds(i);
    const std::string path = fmt::format("circuit_breakers.thresholds[{}]", i);
    SENNIT_RETURN_IF_ERROR(
        only_fields(from, path,
                    {"priority", "max_connections", "max_pending_requests", "max_requests",
                     "max_retries", "track_remaining", "retry_budget"}));
    const size_t priority = from.priority() == core_v3::HIGH ? 1 : 0;
    CircuitBreakers& to = info.breakers[priority];
    to.max_connections = value_or(from.has_max_connections(), from.max_connections(), 1024);
    to.max_pending_requests =
        value_or(from.has_max_pending_requests(), from.max_pending_requests(), 1024);
    to.max_requests = value_or(from.has_max_requests(), from.max_requests(), 1024);
    to.max_retries = value_or(from.has_max_retries(), from.max_retries(), 3);
    if (from.track_remaining()) return fail("{}.track_remaining: not supported", path);
    if (from.has_retry_budget()) {
      const auto& budget = from.retry_budget();
      SENNIT_RETURN_IF_ERROR(
          only_fields(budget, path + ".retry_budget", {"budget_percent", "min_retry_concurrency"}));
      RetryBudget& out = config.retry_budgets[priority].emplace();
      if (budget.has_budget_percent()) out.percent = budget.budget_percent().value();
      out.min_concurrency =
          value_or(budget.has_min_retry_concurrency(), budget.min_retry_concurrency(), 3);
    }
  }
  return {};
}

Status compile_transports(const cluster_v3::Cluster& cluster, SecretManager& secrets,
                          ClusterConfig& config) {
  if (cluster.transport_socket_matches_size() > int{kMaxTransportMatches}) {
    return fail("transport_socket_matches: more than {}", kMaxTransportMatches);
  }
  for (int i = 0; i < cluster.transport_socket_matches_size(); ++i) {
    const auto& from = cluster.transport_socket_matches(i);
    const std::string path = fmt::format("transport_socket_matches[{}]", i);
    TransportMatch match;
    match.name = from.name();
    for (const auto& [key, value] : from.match().fields()) {
      if (!value.has_string_value()) return fail("{}.match.{}: not a string", path, key);
      match.match[key] = value.string_value();
    }
    auto factory = make_upstream_transport(from.transport_socket(), secrets);
    if (!factory) return std::unexpected(factory.error().within(path + ".transport_socket"));
    match.factory = *factory;
    config.transports.push_back(std::move(match));
  }
  auto factory = make_upstream_transport(cluster.transport_socket(), secrets);
  if (!factory) return std::unexpected(factory.error().within("transport_socket"));
  config.transports.push_back({"", {}, *factory});
  return {};
}

void read_istio_metadata(const cluster_v3::Cluster& cluster, ClusterInfo& info) {
  auto found = cluster.metadata().filter_metadata().find("istio");
  if (found == cluster.metadata().filter_metadata().end()) return;
  const auto& fields = found->second.fields();
  if (auto services = fields.find("services");
      services != fields.end() && services->second.list_value().values_size() > 0) {
    const auto& service = services->second.list_value().values(0).struct_value().fields();
    auto text = [&](const char* key) {
      auto field = service.find(key);
      return field == service.end() ? std::string() : field->second.string_value();
    };
    info.istio_service_host = text("host");
    info.istio_service_name = text("name");
    info.istio_service_namespace = text("namespace");
  }
  if (auto external = fields.find("external"); external != fields.end()) {
    info.istio_external =
        external->second.bool_value() || external->second.string_value() == "true";
  }
  if (auto alpn = fields.find("alpn_override"); alpn != fields.end()) {
    info.istio_alpn_override = alpn->second.string_value() != "false";
  }
}

Status compile_filters(const cluster_v3::Cluster& cluster, ClusterConfig& config) {
  for (int i = 0; i < cluster.filters_size(); ++i) {
    const auto& filter = cluster.filters(i);
    const std::string path = fmt::format("filters[{}]", i);
    SENNIT_RETURN_IF_ERROR(only_fields(filter, path, {"name", "typed_config"}));
    auto exchange =
        unpack_any<envoy::tcp::metadataexchange::config::MetadataExchange>(filter.typed_config());
    if (!exchange) return std::unexpected(exchange.error().within(path + ".typed_config"));
    // enable_discovery: peers that send no metadata are looked up by address, in workload discovery
    // that no sidecar's bootstrap turns on; Istio always sends it.
    SENNIT_RETURN_IF_ERROR(
        only_fields(*exchange, path + ".typed_config", {"protocol", "enable_discovery"}));
    config.metadata_exchange_alpn = exchange->protocol();
  }
  return {};
}

Status compile_connection(const cluster_v3::Cluster& cluster, ClusterInfo& info,
                          ClusterConfig& config) {
  net::ConnectOptions& connect = config.connect;
  if (cluster.has_connect_timeout()) {
    auto timeout = positive_duration(cluster.connect_timeout(), "connect_timeout");
    if (!timeout) return std::unexpected(timeout.error());
    info.connect_timeout = *timeout;
  }
  connect.connect_timeout = info.connect_timeout;
  if (cluster.has_upstream_connection_options()) {
    const auto& options = cluster.upstream_connection_options();
    SENNIT_RETURN_IF_ERROR(only_fields(options, "upstream_connection_options", {"tcp_keepalive"}));
    connect.keepalive = options.has_tcp_keepalive();
    connect.tcp_keepalive = {options.tcp_keepalive().keepalive_probes().value(),
                             options.tcp_keepalive().keepalive_time().value(),
                             options.tcp_keepalive().keepalive_interval().value()};
  }
  if (cluster.has_upstream_bind_config()) {
    const auto& bind = cluster.upstream_bind_config();
    SENNIT_RETURN_IF_ERROR(only_fields(bind, "upstream_bind_config", {"source_address"}));
    SENNIT_RETURN_IF_ERROR(only_fields(bind.source_address(), "upstream_bind_config.source_address",
                                       {"address", "port_value", "protocol"}));
    auto source = net::Address::ip(bind.source_address().address(),
                                   static_cast<uint16_t>(bind.source_address().port_value()));
    if (!source)
      return std::unexpected(source.error().within("upstream_bind_config.source_address"));
    connect.source = *source;
  }
  return {};
}

// ignore_health_on_host_removal: without active health checks, which are refused, hosts always go
// at once.
Status check_top_level(const cluster_v3::Cluster& cluster) {
  return only_fields(cluster, "",
                     {"transport_socket_matches",
                      "name",
                      "alt_stat_name",
                      "type",
                      "eds_cluster_config",
                      "connect_timeout",
                      "per_connection_buffer_limit_bytes",
                      "lb_policy",
                      "load_assignment",
                      "max_requests_per_connection",
                      "circuit_breakers",
                      "upstream_http_protocol_options",
                      "common_http_protocol_options",
                      "http_protocol_options",
                      "http2_protocol_options",
                      "typed_extension_protocol_options",
                      "dns_refresh_rate",
                      "dns_jitter",
                      "dns_failure_refresh_rate",
                      "respect_dns_ttl",
                      "dns_lookup_family",
                      "typed_dns_resolver_config",
                      "wait_for_warm_on_init",
                      "outlier_detection",
                      "cleanup_interval",
                      "upstream_bind_config",
                      "lb_subset_config",
                      "ring_hash_lb_config",
                      "maglev_lb_config",
                      "original_dst_lb_config",
                      "least_request_lb_config",
                      "round_robin_lb_config",
                      "common_lb_config",
                      "transport_socket",
                      "metadata",
                      "protocol_selection",
                      "upstream_connection_options",
                      "ignore_health_on_host_removal",
                      "filters",
                      "load_balancing_policy"});
}

}  // namespace

size_t ClusterConfig::transport_for(const std::map<std::string, std::string>& metadata) const {
  for (size_t i = 0; i + 1 < transports.size(); ++i) {
    const auto& match = transports[i].match;
    if (std::all_of(match.begin(), match.end(), [&](const auto& want) {
          auto found = metadata.find(want.first);
          return found != metadata.end() && found->second == want.second;
        })) {
      return i;
    }
  }
  return transports.size() - 1;
}

Result<std::shared_ptr<const ClusterConfig>> compile_cluster(const cluster_v3::Cluster& cluster,
                                                             stats::Registry& stats,
                                                             SecretManager& secrets) {
  if (cluster.name().empty()) return fail("name: required");
  SENNIT_RETURN_IF_ERROR(check_top_level(cluster));
  auto config = std::make_shared<ClusterConfig>();
  auto info = std::make_shared<ClusterInfo>();
  info->name = cluster.name();
  info->stat_name = cluster.alt_stat_name().empty() ? cluster.name() : cluster.alt_stat_name();
  if (cluster.has_per_connection_buffer_limit_bytes()) {
    info->per_connection_buffer_limit = cluster.per_connection_buffer_limit_bytes().value();
  }
  SENNIT_RETURN_IF_ERROR(compile_discovery(cluster, *config));
  SENNIT_RETURN_IF_ERROR(compile_connection(cluster, *info, *config));
  SENNIT_RETURN_IF_ERROR(compile_breakers(cluster, *info, *config));
  SENNIT_RETURN_IF_ERROR(compile_http(cluster, *info, *config));
  SENNIT_RETURN_IF_ERROR(compile_lb(cluster, *config));
  SENNIT_RETURN_IF_ERROR(compile_outlier(cluster, *config));
  SENNIT_RETURN_IF_ERROR(compile_filters(cluster, *config));
  SENNIT_RETURN_IF_ERROR(compile_transports(cluster, secrets, *config));
  read_istio_metadata(cluster, *info);
  info->metadata_exchange_alpn = config->metadata_exchange_alpn;
  info->is_original_dst = config->discovery == ClusterConfig::Discovery::OriginalDst;
  info->stats = make_cluster_stats(stats, info->stat_name);
  config->info = std::move(info);
  return config;
}

}  // namespace sennit::proxy

#include "proxy/listener/limits.h"
#include "proxy/listener/supported_listener_fields.h"
#include "proxy/listener/tcp_proxy.h"

#include <algorithm>

namespace sennit::proxy {
namespace {

using envoy::config::core::v3::Metadata;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

std::chrono::milliseconds to_milliseconds(const google::protobuf::Duration& duration) {
  return std::chrono::milliseconds(duration.seconds() * 1000 + duration.nanos() / 1'000'000);
}

std::vector<std::pair<std::string, std::string>> subset_of(const Metadata& metadata) {
  std::vector<std::pair<std::string, std::string>> keys;
  const auto found = metadata.filter_metadata().find("envoy.lb");
  if (found == metadata.filter_metadata().end()) return keys;
  for (const auto& [key, value] : found->second.fields()) {
    keys.emplace_back(key, value.string_value());
  }
  std::ranges::sort(keys);
  return keys;
}

TcpProxyStats make_stats(stats::Registry& registry, const std::string& prefix) {
  const auto key = [&](std::string_view name) {
    return stats::MetricKey{fmt::format("tcp.{}.{}", prefix, name),
                            fmt::format("envoy_tcp_{}", name),
                            {{"envoy_tcp_prefix", prefix}}};
  };
  TcpProxyStats stats;
  stats.cx_total = registry.counter(key("downstream_cx_total"));
  stats.cx_no_route = registry.counter(key("downstream_cx_no_route"));
  stats.cx_rx_bytes = registry.counter(key("downstream_cx_rx_bytes_total"));
  stats.cx_tx_bytes = registry.counter(key("downstream_cx_tx_bytes_total"));
  stats.idle_timeout = registry.counter(key("idle_timeout"));
  stats.max_duration_reached = registry.counter(key("max_downstream_connection_duration"));
  stats.cx_active = registry.gauge(key("downstream_cx_active"));
  return stats;
}

Status add_destinations(const TcpProxy& config, TcpProxyConfig& out) {
  const auto common = subset_of(config.metadata_match());
  if (!config.cluster().empty()) {
    out.destinations.push_back({config.cluster(), 1, common});
    out.total_weight = 1;
    return {};
  }
  for (int i = 0; i < config.weighted_clusters().clusters_size(); ++i) {
    const auto& entry = config.weighted_clusters().clusters(i);
    if (entry.weight() == 0) {
      return fail("weighted_clusters.clusters[{}].weight: must be at least 1", i);
    }
    auto subset = subset_of(entry.metadata_match());
    if (subset.empty()) subset = common;
    out.destinations.push_back({entry.name(), entry.weight(), std::move(subset)});
    out.total_weight += entry.weight();
  }
  if (out.destinations.empty()) return fail("cluster: or weighted_clusters must be set");
  return {};
}

}  // namespace

Result<std::shared_ptr<TcpProxyConfig>> TcpProxyConfig::create(const TcpProxy& config,
                                                               stats::Registry& registry) {
  if (auto s = refuse_unsupported(config, supported_listener_fields()); !s) {
    return std::unexpected(s.error());
  }
  auto out = std::make_shared<TcpProxyConfig>();
  if (config.stat_prefix().empty()) return fail("stat_prefix: must not be empty");
  out->stat_prefix = config.stat_prefix();
  if (auto s = add_destinations(config, *out); !s) return std::unexpected(s.error());
  for (int i = 0; i < config.hash_policy_size(); ++i) {
    if (!config.hash_policy(i).has_source_ip()) {
      return fail("hash_policy[{}]: only source_ip is supported", i);
    }
    out->hash_source_ip = true;
  }
  if (config.has_max_connect_attempts()) {
    out->max_connect_attempts = std::max(config.max_connect_attempts().value(), 1u);
  }
  out->idle_timeout =
      config.has_idle_timeout() ? to_milliseconds(config.idle_timeout()) : kTcpIdleTimeout;
  if (config.has_max_downstream_connection_duration()) {
    out->max_duration = to_milliseconds(config.max_downstream_connection_duration());
  }
  for (int i = 0; i < config.access_log_size(); ++i) {
    auto log = make_access_log(config.access_log(i));
    if (!log) return std::unexpected(log.error().within(fmt::format("access_log[{}]", i)));
    out->access_logs.push_back(*log);
  }
  out->stats = make_stats(registry, out->stat_prefix);
  return out;
}

}  // namespace sennit::proxy

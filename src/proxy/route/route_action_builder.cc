#include "proxy/route/route_action_builder.h"

#include <algorithm>
#include <limits>

#include "proxy/match/field_path.h"
#include "proxy/match/fraction.h"
#include "proxy/route/retry_policy.h"

namespace sennit::proxy {
namespace {

namespace route_v3 = envoy::config::route::v3;
using Action = route_v3::RouteAction;
using Labels = std::vector<std::pair<std::string, std::string>>;

// metadata_match: the strings, numbers and booleans under "envoy.lb", as subset keys.
Labels subset_labels(const envoy::config::core::v3::Metadata& metadata) {
  Labels labels;
  const auto found = metadata.filter_metadata().find("envoy.lb");
  if (found == metadata.filter_metadata().end()) return labels;
  for (const auto& [key, value] : found->second.fields()) {
    if (value.has_string_value()) labels.emplace_back(key, value.string_value());
    if (value.has_bool_value()) labels.emplace_back(key, value.bool_value() ? "true" : "false");
    if (value.has_number_value()) labels.emplace_back(key, fmt::format("{}", value.number_value()));
  }
  std::ranges::sort(labels);
  return labels;
}

Labels merged_labels(Labels specific, const Labels& general) {
  for (const auto& label : general) {
    if (std::ranges::find(specific, label.first, &Labels::value_type::first) == specific.end()) {
      specific.push_back(label);
    }
  }
  std::ranges::sort(specific);
  return specific;
}

Result<WeightedCluster> make_weighted(const route_v3::WeightedCluster::ClusterWeight& config,
                                      const Labels& route_labels, const Route::Impl& impl,
                                      FilterConfigParser parse) {
  WeightedCluster cluster;
  cluster.name = config.name();
  cluster.cluster_header = to_lower(config.cluster_header());
  if (cluster.name.empty() == cluster.cluster_header.empty()) {
    return fail("needs either name or cluster_header");
  }
  cluster.weight = config.weight().value();
  cluster.host_rewrite = config.host_rewrite_literal();
  cluster.metadata_match = merged_labels(subset_labels(config.metadata_match()), route_labels);
  auto level = make_header_level(config);
  if (!level) return std::unexpected(level.error());
  cluster.request_headers = std::move(level->request);
  cluster.response_headers = std::move(level->response);
  auto filters = make_filter_configs(config.typed_per_filter_config(), parse);
  if (!filters) return std::unexpected(filters.error());
  cluster.filter_configs = merge_filter_configs(*std::move(filters), impl.filter_configs);
  return cluster;
}

Status set_weighted_clusters(Route& route, const Route::Impl& impl,
                             const route_v3::WeightedCluster& config, const Labels& route_labels,
                             FilterConfigParser parse) {
  uint64_t total = 0;
  for (int i = 0; i < config.clusters_size(); ++i) {
    auto cluster = make_weighted(config.clusters(i), route_labels, impl, parse);
    if (!cluster) return std::unexpected(in_field(cluster.error(), fmt::format("clusters[{}]", i)));
    total += cluster->weight;
    route.clusters.push_back(*std::move(cluster));
  }
  if (total == 0) return fail("clusters: the weights sum up to 0");
  if (total > std::numeric_limits<uint32_t>::max())
    return fail("clusters: the weights exceed 2^32-1");
  route.total_weight = static_cast<uint32_t>(total);
  return {};
}

Status set_clusters(Route& route, const Route::Impl& impl, const Action& config,
                    FilterConfigParser parse) {
  const Labels labels = subset_labels(config.metadata_match());
  WeightedCluster cluster;
  cluster.metadata_match = labels;
  cluster.filter_configs = impl.filter_configs;
  switch (config.cluster_specifier_case()) {
    case Action::kCluster:
      cluster.name = config.cluster();
      break;
    case Action::kClusterHeader:
      cluster.cluster_header = to_lower(config.cluster_header());
      break;
    case Action::kWeightedClusters: {
      auto ok = set_weighted_clusters(route, impl, config.weighted_clusters(), labels, parse);
      return ok ? ok : std::unexpected(in_field(ok.error(), "weighted_clusters"));
    }
    default:
      return fail("needs cluster, cluster_header or weighted_clusters");
  }
  if (cluster.name.empty() && cluster.cluster_header.empty()) return fail("cluster: is empty");
  route.clusters.push_back(std::move(cluster));
  route.total_weight = 1;
  return {};
}

// Sets `target` where the field is present.
template <typename Target>
Status set_duration(Target& target, bool present, const google::protobuf::Duration& duration,
                    std::string_view field) {
  if (!present) return {};
  auto value = to_milliseconds(duration);
  if (!value) return std::unexpected(in_field(value.error(), field));
  target = *value;
  return {};
}

Status set_timeouts(Route& route, const Action& config) {
  const auto& stream = config.max_stream_duration();
  Status status = set_duration(route.timeout, config.has_timeout(), config.timeout(), "timeout");
  if (status) {
    status = set_duration(route.idle_timeout, config.has_idle_timeout(), config.idle_timeout(),
                          "idle_timeout");
  }
  if (status) {
    status = set_duration(route.max_grpc_timeout, config.has_max_grpc_timeout(),
                          config.max_grpc_timeout(), "max_grpc_timeout");
  }
  if (status) {
    status = set_duration(route.grpc_timeout_offset, config.has_grpc_timeout_offset(),
                          config.grpc_timeout_offset(), "grpc_timeout_offset");
  }
  if (status) {
    status = set_duration(route.max_stream_duration, stream.has_max_stream_duration(),
                          stream.max_stream_duration(), "max_stream_duration.max_stream_duration");
  }
  if (status) {
    status = set_duration(route.grpc_timeout_header_max, stream.has_grpc_timeout_header_max(),
                          stream.grpc_timeout_header_max(),
                          "max_stream_duration.grpc_timeout_header_max");
  }
  if (status) {
    status = set_duration(route.grpc_timeout_header_offset, stream.has_grpc_timeout_header_offset(),
                          stream.grpc_timeout_header_offset(),
                          "max_stream_duration.grpc_timeout_header_offset");
  }
  return status;
}

Status set_rewrites(Route& route, Route::Impl& impl, const Action& config) {
  impl.prefix_rewrite = config.prefix_rewrite();
  if (config.has_regex_rewrite()) {
    auto rewrite = RegexSubstitution::create(config.regex_rewrite());
    if (!rewrite) return std::unexpected(in_field(rewrite.error(), "regex_rewrite"));
    if (!impl.prefix_rewrite.empty()) return fail("regex_rewrite: excludes prefix_rewrite");
    impl.regex_rewrite = *std::move(rewrite);
  }
  if (config.has_host_rewrite_path_regex()) {
    auto rewrite = RegexSubstitution::create(config.host_rewrite_path_regex());
    if (!rewrite) return std::unexpected(in_field(rewrite.error(), "host_rewrite_path_regex"));
    impl.host_path_regex = *std::move(rewrite);
  }
  route.host_rewrite = config.host_rewrite_literal();
  route.host_rewrite_header = to_lower(config.host_rewrite_header());
  route.auto_host_rewrite = config.auto_host_rewrite().value();
  route.append_x_forwarded_host = config.append_x_forwarded_host();
  return {};
}

Status set_policies(Route& route, const Action& config, const RouteParents& parents) {
  route.retry = parents.retry;
  if (config.has_retry_policy()) {
    auto retry = make_retry_policy(config.retry_policy());
    if (!retry) return std::unexpected(in_field(retry.error(), "retry_policy"));
    route.retry = *std::move(retry);
  }
  auto mirrors = make_mirrors(config.request_mirror_policies());
  if (!mirrors) return std::unexpected(mirrors.error());
  route.mirrors = mirrors->empty() ? parents.mirrors : *std::move(mirrors);
  auto hash = HashPolicy::create(config.hash_policy());
  if (!hash) return std::unexpected(hash.error());
  route.hash_policy = *std::move(hash);
  return {};
}

}  // namespace

Status set_route_action(Route& route, Route::Impl& impl, const Action& config,
                        const RouteParents& parents) {
  if (auto ok = set_clusters(route, impl, config, parents.parse); !ok) return ok;
  if (auto ok = set_timeouts(route, config); !ok) return ok;
  if (auto ok = set_rewrites(route, impl, config); !ok) return ok;
  if (auto ok = set_policies(route, config, parents); !ok) return ok;
  switch (config.cluster_not_found_response_code()) {
    case Action::NOT_FOUND:
      route.cluster_not_found_status = 404;
      break;
    case Action::INTERNAL_SERVER_ERROR:
      route.cluster_not_found_status = 500;
      break;
    default:
      route.cluster_not_found_status = 503;
      break;
  }
  route.priority = config.priority() == envoy::config::core::v3::HIGH ? 1 : 0;
  for (const auto& upgrade : config.upgrade_configs()) {
    if (!upgrade.has_enabled() || upgrade.enabled().value()) {
      route.upgrades.push_back(to_lower(upgrade.upgrade_type()));
    }
  }
  return {};
}

}  // namespace sennit::proxy

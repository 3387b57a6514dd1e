#include <envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided.pb.h>
#include <envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h>
#include <envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h>
#include <envoy/extensions/load_balancing_policies/random/v3/random.pb.h>
#include <envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h>
#include <envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h>
#include <envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.pb.h>

#include <algorithm>

#include "proxy/upstream/cluster_compile.h"
#include "proxy/upstream/supported_fields.h"

namespace sennit::proxy {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
namespace lb = envoy::extensions::load_balancing_policies;

Status check_choices(uint32_t count, const std::string& path) {
  if (count < 2) return fail("{}.choice_count: must be at least 2", path);
  return {};
}

Status check_ring(const LbConfig& config, const std::string& path) {
  if (config.maximum_ring_size > kMaxRingSize || config.minimum_ring_size > kMaxRingSize) {
    return fail("{}: ring sizes end at {}", path, kMaxRingSize);
  }
  if (config.minimum_ring_size > config.maximum_ring_size) {
    return fail("{}.minimum_ring_size: above maximum_ring_size", path);
  }
  return {};
}

Status check_table(uint64_t size, const std::string& path) {
  bool prime = size >= 2;
  for (uint64_t i = 2; i * i <= size && size <= kMaxMaglevTableSize && prime; ++i) prime = size % i;
  if (!prime || size > kMaxMaglevTableSize) {
    return fail("{}.table_size: must be a prime up to {}", path, kMaxMaglevTableSize);
  }
  return {};
}

Status compile_common(const cluster_v3::Cluster& cluster, ClusterConfig& config) {
  const auto& common = cluster.common_lb_config();
  SENNIT_RETURN_IF_ERROR(
      only_fields(common, "common_lb_config",
                  {"healthy_panic_threshold", "locality_weighted_lb_config", "zone_aware_lb_config",
                   "update_merge_window", "consistent_hashing_lb_config"}));
  if (common.has_healthy_panic_threshold()) {
    config.lb.panic_threshold = common.healthy_panic_threshold().value();
  }
  if (common.has_update_merge_window()) {
    config.update_merge_window = duration(common.update_merge_window());
  }
  config.lb.locality_weighted = common.has_locality_weighted_lb_config();
  SENNIT_RETURN_IF_ERROR(only_fields(common.zone_aware_lb_config(),
                                     "common_lb_config.zone_aware_lb_config",
                                     {"fail_traffic_on_panic"}));
  config.lb.fail_traffic_on_panic = common.zone_aware_lb_config().fail_traffic_on_panic();
  SENNIT_RETURN_IF_ERROR(only_fields(common.consistent_hashing_lb_config(),
                                     "common_lb_config.consistent_hashing_lb_config",
                                     {"use_hostname_for_hashing"}));
  config.lb.hash_hostname = common.consistent_hashing_lb_config().use_hostname_for_hashing();
  return {};
}

Status compile_legacy(const cluster_v3::Cluster& cluster, LbConfig& config) {
  if (cluster.has_least_request_lb_config()) {
    const auto& options = cluster.least_request_lb_config();
    const std::string path = "least_request_lb_config";
    SENNIT_RETURN_IF_ERROR(only_fields(options, path, {"choice_count"}));
    if (options.has_choice_count()) config.choice_count = options.choice_count().value();
    SENNIT_RETURN_IF_ERROR(check_choices(config.choice_count, path));
  }
  if (cluster.has_ring_hash_lb_config()) {
    const auto& options = cluster.ring_hash_lb_config();
    SENNIT_RETURN_IF_ERROR(
        only_fields(options, "ring_hash_lb_config", {"minimum_ring_size", "maximum_ring_size"}));
    if (options.has_minimum_ring_size())
      config.minimum_ring_size = options.minimum_ring_size().value();
    if (options.has_maximum_ring_size())
      config.maximum_ring_size = options.maximum_ring_size().value();
    SENNIT_RETURN_IF_ERROR(check_ring(config, "ring_hash_lb_config"));
  }
  if (cluster.maglev_lb_config().has_table_size()) {
    config.maglev_table_size = cluster.maglev_lb_config().table_size().value();
    SENNIT_RETURN_IF_ERROR(check_table(config.maglev_table_size, "maglev_lb_config"));
  }
  SENNIT_RETURN_IF_ERROR(only_fields(cluster.round_robin_lb_config(), "round_robin_lb_config", {}));
  return {};
}

template <typename Policy>
Status typed_locality(const Policy& policy, const std::string& path, LbConfig& config) {
  SENNIT_RETURN_IF_ERROR(only_fields(policy.locality_lb_config(), path + ".locality_lb_config",
                                     {"locality_weighted_lb_config"}));
  if (policy.locality_lb_config().has_locality_weighted_lb_config())
    config.locality_weighted = true;
  return {};
}

Status compile_typed_policy(const google::protobuf::Any& any, const std::string& path,
                            LbConfig& config, bool inside_wrr);

Status compile_policies(const cluster_v3::LoadBalancingPolicy& list, const std::string& path,
                        LbConfig& config, bool inside_wrr) {
  Status last = fail("{}.policies: empty", path);
  for (int i = 0; i < list.policies_size(); ++i) {  // the first that we know, as in Envoy
    last = compile_typed_policy(list.policies(i).typed_extension_config().typed_config(),
                                fmt::format("{}.policies[{}]", path, i), config, inside_wrr);
    if (last) return last;
  }
  return last;
}

Status compile_hash_policy(const google::protobuf::Any& any, const std::string& path,
                           LbConfig& config) {
  lb::ring_hash::v3::RingHash ring;
  if (any.UnpackTo(&ring)) {
    SENNIT_RETURN_IF_ERROR(
        only_fields(ring, path,
                    {"hash_function", "minimum_ring_size", "maximum_ring_size",
                     "use_hostname_for_hashing", "locality_weighted_lb_config"}));
    if (ring.hash_function() == lb::ring_hash::v3::RingHash::MURMUR_HASH_2) {
      return fail("{}.hash_function: MURMUR_HASH_2 is not supported", path);
    }
    config.algorithm = LbAlgorithm::RingHash;
    if (ring.has_minimum_ring_size()) config.minimum_ring_size = ring.minimum_ring_size().value();
    if (ring.has_maximum_ring_size()) config.maximum_ring_size = ring.maximum_ring_size().value();
    config.hash_hostname = ring.use_hostname_for_hashing();
    config.locality_weighted |= ring.has_locality_weighted_lb_config();
    return check_ring(config, path);
  }
  lb::maglev::v3::Maglev maglev;
  if (!any.UnpackTo(&maglev)) return fail("{}: {} is not supported", path, any.type_url());
  SENNIT_RETURN_IF_ERROR(only_fields(maglev, path, {"table_size", "locality_weighted_lb_config"}));
  config.algorithm = LbAlgorithm::Maglev;
  if (maglev.has_table_size()) config.maglev_table_size = maglev.table_size().value();
  config.locality_weighted |= maglev.has_locality_weighted_lb_config();
  return check_table(config.maglev_table_size, path);
}

Status compile_typed_policy(const google::protobuf::Any& any, const std::string& path,
                            LbConfig& config, bool inside_wrr) {
  if (lb::wrr_locality::v3::WrrLocality wrr; !inside_wrr && any.UnpackTo(&wrr)) {
    config.locality_weighted = true;
    return compile_policies(wrr.endpoint_picking_policy(), path + ".endpoint_picking_policy",
                            config, true);
  }
  if (lb::round_robin::v3::RoundRobin policy; any.UnpackTo(&policy)) {
    SENNIT_RETURN_IF_ERROR(only_fields(policy, path, {"locality_lb_config"}));
    config.algorithm = LbAlgorithm::RoundRobin;
    return typed_locality(policy, path, config);
  }
  if (lb::random::v3::Random policy; any.UnpackTo(&policy)) {
    config.algorithm = LbAlgorithm::Random;
    return typed_locality(policy, path, config);
  }
  if (lb::least_request::v3::LeastRequest policy; any.UnpackTo(&policy)) {
    SENNIT_RETURN_IF_ERROR(only_fields(policy, path, {"locality_lb_config", "choice_count"}));
    config.algorithm = LbAlgorithm::LeastRequest;
    if (policy.has_choice_count()) config.choice_count = policy.choice_count().value();
    SENNIT_RETURN_IF_ERROR(check_choices(config.choice_count, path));
    return typed_locality(policy, path, config);
  }
  if (any.Is<lb::cluster_provided::v3::ClusterProvided>()) {
    config.algorithm = LbAlgorithm::OriginalDst;
    return {};
  }
  return compile_hash_policy(any, path, config);
}

Status compile_subset(const cluster_v3::Cluster::LbSubsetConfig& from, LbConfig& config) {
  SENNIT_RETURN_IF_ERROR(only_fields(from, "lb_subset_config",
                                     {"fallback_policy", "default_subset", "subset_selectors"}));
  using Fallback = SubsetSelector::Fallback;
  SubsetConfig& subset = config.subset.emplace();
  subset.fallback = static_cast<Fallback>(static_cast<int>(from.fallback_policy()) + 1);
  for (const auto& [key, value] : from.default_subset().fields()) {
    if (!value.has_string_value()) {
      return fail("lb_subset_config.default_subset.{}: not a string", key);
    }
    subset.default_subset.emplace_back(key, value.string_value());
  }
  std::sort(subset.default_subset.begin(), subset.default_subset.end());
  for (int i = 0; i < from.subset_selectors_size(); ++i) {
    const auto& selector = from.subset_selectors(i);
    const std::string path = fmt::format("lb_subset_config.subset_selectors[{}]", i);
    SENNIT_RETURN_IF_ERROR(only_fields(selector, path, {"keys", "fallback_policy"}));
    SubsetSelector& out = subset.selectors.emplace_back();
    out.keys.assign(selector.keys().begin(), selector.keys().end());
    std::sort(out.keys.begin(), out.keys.end());
    out.fallback = static_cast<Fallback>(selector.fallback_policy());
    if (out.fallback == Fallback::KeysSubset) {
      return fail("{}.fallback_policy: KEYS_SUBSET is not supported", path);
    }
  }
  return {};
}

}  // namespace

Status compile_lb(const cluster_v3::Cluster& cluster, ClusterConfig& config) {
  using Cluster = cluster_v3::Cluster;
  SENNIT_RETURN_IF_ERROR(compile_common(cluster, config));
  SENNIT_RETURN_IF_ERROR(compile_legacy(cluster, config.lb));
  if (cluster.has_load_balancing_policy()) {
    SENNIT_RETURN_IF_ERROR(compile_policies(cluster.load_balancing_policy(),
                                            "load_balancing_policy", config.lb, false));
  } else {
    switch (cluster.lb_policy()) {
      case Cluster::ROUND_ROBIN:
        config.lb.algorithm = LbAlgorithm::RoundRobin;
        break;
      case Cluster::LEAST_REQUEST:
        config.lb.algorithm = LbAlgorithm::LeastRequest;
        break;
      case Cluster::RANDOM:
        config.lb.algorithm = LbAlgorithm::Random;
        break;
      case Cluster::RING_HASH:
        config.lb.algorithm = LbAlgorithm::RingHash;
        break;
      case Cluster::MAGLEV:
        config.lb.algorithm = LbAlgorithm::Maglev;
        break;
      case Cluster::CLUSTER_PROVIDED:
        config.lb.algorithm = LbAlgorithm::OriginalDst;
        break;
      default:
        return fail("lb_policy: needs load_balancing_policy");
    }
  }
  const bool original_dst = config.discovery == ClusterConfig::Discovery::OriginalDst;
  if (original_dst != (config.lb.algorithm == LbAlgorithm::OriginalDst)) {
    return fail("lb_policy: CLUSTER_PROVIDED goes with type ORIGINAL_DST, and only with it");
  }
  if (cluster.has_original_dst_lb_config()) {
    const auto& options = cluster.original_dst_lb_config();
    SENNIT_RETURN_IF_ERROR(
        only_fields(options, "original_dst_lb_config",
                    {"use_http_header", "http_header_name", "upstream_port_override"}));
    config.original_dst.use_http_header = options.use_http_header();
    if (!options.http_header_name().empty()) {
      config.original_dst.http_header = options.http_header_name();
    }
    config.original_dst.port_override = options.upstream_port_override().value();
  }
  if (cluster.has_lb_subset_config()) return compile_subset(cluster.lb_subset_config(), config.lb);
  return {};
}

Status compile_outlier(const cluster_v3::Cluster& cluster, ClusterConfig& config) {
  if (!cluster.has_outlier_detection()) return {};
  const auto& from = cluster.outlier_detection();
  OutlierConfig& to = config.outlier.emplace();
  SENNIT_RETURN_IF_ERROR(only_fields(from, "outlier_detection",
                                     {"interval",
                                      "base_ejection_time",
                                      "max_ejection_time",
                                      "max_ejection_time_jitter",
                                      "max_ejection_percent",
                                      "consecutive_5xx",
                                      "consecutive_gateway_failure",
                                      "consecutive_local_origin_failure",
                                      "enforcing_consecutive_5xx",
                                      "enforcing_consecutive_gateway_failure",
                                      "enforcing_consecutive_local_origin_failure",
                                      "enforcing_success_rate",
                                      "enforcing_local_origin_success_rate",
                                      "success_rate_minimum_hosts",
                                      "success_rate_request_volume",
                                      "success_rate_stdev_factor",
                                      "failure_percentage_threshold",
                                      "enforcing_failure_percentage",
                                      "enforcing_failure_percentage_local_origin",
                                      "failure_percentage_minimum_hosts",
                                      "failure_percentage_request_volume",
                                      "always_eject_one_host",
                                      "split_external_local_origin_errors"}));
#define SENNIT_DURATION(field) \
  if (from.has_##field()) to.field = duration(from.field())
  SENNIT_DURATION(interval);
  SENNIT_DURATION(base_ejection_time);
  to.max_ejection_time = std::max(to.max_ejection_time, to.base_ejection_time);
  SENNIT_DURATION(max_ejection_time);
  SENNIT_DURATION(max_ejection_time_jitter);
#undef SENNIT_DURATION
#define SENNIT_NUMBER(field) \
  if (from.has_##field()) to.field = from.field().value()
  SENNIT_NUMBER(max_ejection_percent);
  SENNIT_NUMBER(consecutive_5xx);
  SENNIT_NUMBER(consecutive_gateway_failure);
  SENNIT_NUMBER(consecutive_local_origin_failure);
  SENNIT_NUMBER(enforcing_consecutive_5xx);
  SENNIT_NUMBER(enforcing_consecutive_gateway_failure);
  SENNIT_NUMBER(enforcing_consecutive_local_origin_failure);
  SENNIT_NUMBER(enforcing_success_rate);
  SENNIT_NUMBER(enforcing_local_origin_success_rate);
  SENNIT_NUMBER(success_rate_minimum_hosts);
  SENNIT_NUMBER(success_rate_request_volume);
  SENNIT_NUMBER(success_rate_stdev_factor);
  SENNIT_NUMBER(failure_percentage_threshold);
  SENNIT_NUMBER(enforcing_failure_percentage);
  SENNIT_NUMBER(enforcing_failure_percentage_local_origin);
  SENNIT_NUMBER(failure_percentage_minimum_hosts);
  SENNIT_NUMBER(failure_percentage_request_volume);
  SENNIT_NUMBER(always_eject_one_host);
#undef SENNIT_NUMBER
  to.split_local_origin = from.split_external_local_origin_errors();
  if (to.interval.count() <= 0) return fail("outlier_detection.interval: must be above zero");
  return {};
}

}  // namespace sennit::proxy

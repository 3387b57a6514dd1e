#include "mesh/api/validate/traffic_policy.h"

#include <set>

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

void check_consistent_hash(Checker& checker, const std::string& field,
                           const api::LoadBalancerSettings::ConsistentHashLB& hash) {
  using Hash = api::LoadBalancerSettings::ConsistentHashLB;
  if (hash.hash_key_case() == Hash::HASH_KEY_NOT_SET)
    checker.error(field,
                  "says not by what; write \"httpHeaderName\", \"httpCookie\", "
                  "\"useSourceIp\" or \"httpQueryParameterName\"");
  if (hash.has_http_cookie() && hash.http_cookie().name().empty())
    checker.error(below(field, "httpCookie"), "needs a \"name\"");
  if (hash.has_http_cookie() && hash.http_cookie().ttl().seconds() < 0)
    checker.error(below(field, "httpCookie.ttl"), "is negative");
  constexpr uint64_t kMaxTable = 5000011, kMaxRing = 8 * 1024 * 1024;  // Envoy's bounds
  if (hash.maglev().table_size() > kMaxTable)
    checker.error(below(field, "maglev.tableSize"), "must be at most {}", kMaxTable);
  if (hash.ring_hash().minimum_ring_size() > kMaxRing)
    checker.error(below(field, "ringHash.minimumRingSize"), "must be at most {}", kMaxRing);
}

void check_load_balancer(Checker& checker, const std::string& field,
                         const api::LoadBalancerSettings& balancer, bool has_outlier) {
  if (balancer.has_consistent_hash())
    check_consistent_hash(checker, below(field, "consistentHash"), balancer.consistent_hash());
  if (balancer.has_simple() && balancer.simple() == api::LoadBalancerSettings::LEAST_CONN)
    checker.warning(below(field, "simple"), "LEAST_CONN is deprecated; write LEAST_REQUEST");
  if (balancer.has_warmup()) {
    if (!balancer.warmup().has_duration())
      checker.error(below(field, "warmup"), "needs a \"duration\"");
    else
      check_duration(checker, below(field, "warmup.duration"), balancer.warmup().duration());
    if (balancer.warmup().has_aggression() && balancer.warmup().aggression() < 1)
      checker.error(below(field, "warmup.aggression"), "must be at least 1");
    check_percent(checker, below(field, "warmup.minimumPercent"),
                  balancer.warmup().minimum_percent());
  }
  if (!balancer.has_locality_lb_setting()) return;
  const auto& locality = balancer.locality_lb_setting();
  const std::string path = below(field, "localityLbSetting");
  check_locality(checker, path, locality);
  if ((locality.failover_size() > 0 || locality.failover_priority_size() > 0) && !has_outlier)
    checker.warning(path, "failover needs \"outlierDetection\" to see failing endpoints");
}

void check_outlier(Checker& checker, const std::string& field,
                   const api::OutlierDetection& outlier) {
  check_not_negative(checker, below(field, "consecutiveErrors"), outlier.consecutive_errors());
  if (outlier.has_interval()) check_duration(checker, below(field, "interval"), outlier.interval());
  if (outlier.has_base_ejection_time())
    check_duration(checker, below(field, "baseEjectionTime"), outlier.base_ejection_time());
  check_percent(checker, below(field, "maxEjectionPercent"), outlier.max_ejection_percent());
  check_percent(checker, below(field, "minHealthPercent"), outlier.min_health_percent());
  if (outlier.consecutive_local_origin_failures() > 0 &&
      !outlier.split_external_local_origin_errors())
    checker.error(below(field, "consecutiveLocalOriginFailures"),
                  "counts only with \"splitExternalLocalOriginErrors: true\"");
}

void check_tls(Checker& checker, const std::string& field, const api::ClientTLSSettings& tls) {
  using Tls = api::ClientTLSSettings;
  const bool files = !tls.client_certificate().empty() || !tls.private_key().empty() ||
                     !tls.ca_certificates().empty();
  if (!tls.credential_name().empty() && files &&
      (tls.mode() == Tls::SIMPLE || tls.mode() == Tls::MUTUAL))
    checker.error(below(field, "credentialName"),
                  "cannot stand beside certificate files; choose one");
  if (tls.mode() == Tls::MUTUAL && tls.credential_name().empty()) {
    if (tls.client_certificate().empty())
      checker.error(field, "mode MUTUAL needs \"clientCertificate\"");
    if (tls.private_key().empty()) checker.error(field, "mode MUTUAL needs \"privateKey\"");
  }
  if (tls.insecure_skip_verify() &&
      (!tls.ca_certificates().empty() || tls.subject_alt_names_size() > 0))
    checker.error(below(field, "insecureSkipVerify"),
                  "contradicts \"caCertificates\" and \"subjectAltNames\"; remove one");
}

void check_tunnel(Checker& checker, const std::string& field,
                  const api::TrafficPolicy::TunnelSettings& tunnel) {
  if (!tunnel.protocol().empty() && tunnel.protocol() != "CONNECT" && tunnel.protocol() != "POST")
    checker.error(below(field, "protocol"), "must be CONNECT or POST");
  if (!is_fqdn(tunnel.target_host()) && !is_ip_address(tunnel.target_host()))
    checker.error(below(field, "targetHost"), "\"{}\" is no host", tunnel.target_host());
  check_port(checker, below(field, "targetPort"), tunnel.target_port());
}

// What TrafficPolicy and its portLevelSettings have in common.
template <typename Policy>
void check_parts(Checker& checker, const std::string& field, const Policy& policy) {
  if (policy.has_load_balancer())
    check_load_balancer(checker, below(field, "loadBalancer"), policy.load_balancer(),
                        policy.has_outlier_detection());
  if (policy.has_connection_pool())
    check_connection_pool(checker, below(field, "connectionPool"), policy.connection_pool());
  if (policy.has_outlier_detection())
    check_outlier(checker, below(field, "outlierDetection"), policy.outlier_detection());
  if (policy.has_tls()) check_tls(checker, below(field, "tls"), policy.tls());
}

}  // namespace

void check_locality(Checker& checker, const std::string& field,
                    const api::LocalityLoadBalancerSetting& setting) {
  if (setting.distribute_size() > 0 && setting.failover_size() > 0)
    checker.error(field, "\"distribute\" and \"failover\" exclude each other; choose one");
  if (setting.distribute_size() > 0 && setting.failover_priority_size() > 0)
    checker.error(field, "\"distribute\" and \"failoverPriority\" exclude each other; choose one");
  std::set<std::string> sources;
  for (int i = 0; i < setting.distribute_size(); ++i) {
    const auto& distribute = setting.distribute(i);
    const std::string path = at(below(field, "distribute"), i);
    if (!sources.insert(distribute.from()).second)
      checker.error(path, "\"{}\" is distributed twice", distribute.from());
    uint64_t total = 0;
    for (const auto& [locality, weight] : distribute.to()) {
      if (weight == 0) checker.error(keyed(below(path, "to"), locality), "must not be 0");
      total += weight;
    }
    if (total != 100) checker.error(below(path, "to"), "adds up to {}, not to 100", total);
  }
  for (int i = 0; i < setting.failover_size(); ++i) {
    const auto& failover = setting.failover(i);
    const std::string path = at(below(field, "failover"), i);
    if (failover.from() == failover.to())
      checker.error(path, "\"from\" and \"to\" are the same region");
    if ((failover.from() + failover.to()).find_first_of("/*") != std::string::npos)
      checker.error(path, "takes regions only, without zones or \"*\"");
  }
}

void check_connection_pool(Checker& checker, const std::string& field,
                           const api::ConnectionPoolSettings& pool) {
  if (!pool.has_tcp() && !pool.has_http())
    checker.error(field, "is empty; write \"tcp\" or \"http\"");
  const auto& tcp = pool.tcp();
  check_not_negative(checker, below(field, "tcp.maxConnections"), tcp.max_connections());
  if (tcp.has_connect_timeout())
    check_duration(checker, below(field, "tcp.connectTimeout"), tcp.connect_timeout());
  if (tcp.has_max_connection_duration())
    check_duration(checker, below(field, "tcp.maxConnectionDuration"),
                   tcp.max_connection_duration());
  const auto& http = pool.http();
  const std::pair<std::string_view, int32_t> counts[] = {
      {"http.http1MaxPendingRequests", http.http1_max_pending_requests()},
      {"http.http2MaxRequests", http.http2_max_requests()},
      {"http.maxRequestsPerConnection", http.max_requests_per_connection()},
      {"http.maxRetries", http.max_retries()},
      {"http.maxConcurrentStreams", http.max_concurrent_streams()}};
  for (const auto& [name, value] : counts) check_not_negative(checker, below(field, name), value);
  if (http.use_client_protocol() &&
      http.h2_upgrade_policy() == api::ConnectionPoolSettings::HTTPSettings::UPGRADE)
    checker.error(below(field, "http.useClientProtocol"),
                  "contradicts \"h2UpgradePolicy: UPGRADE\"; remove one");
}

void check_traffic_policy(Checker& checker, const std::string& field,
                          const api::TrafficPolicy& policy) {
  if (policy.ByteSizeLong() == 0)
    checker.error(field, "is empty; write at least one setting or remove it");
  check_parts(checker, field, policy);
  for (int i = 0; i < policy.port_level_settings_size(); ++i) {
    const auto& settings = policy.port_level_settings(i);
    const std::string path = at(below(field, "portLevelSettings"), i);
    if (!settings.has_port())
      checker.error(path, "needs a \"port\"");
    else
      check_port(checker, below(path, "port.number"), settings.port().number());
    check_parts(checker, path, settings);
  }
  if (policy.has_tunnel()) check_tunnel(checker, below(field, "tunnel"), policy.tunnel());
}

}  // namespace sennit::mesh

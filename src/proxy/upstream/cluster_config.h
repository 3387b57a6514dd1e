// A Cluster resource, compiled: everything that the upstream room needs and ClusterInfo does not
// show. Made on the main thread; immutable; shared with the workers.
#pragma once

#include <envoy/config/cluster/v3/cluster.pb.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/connection.h"
#include "net/dns.h"
#include "proxy/stats/stats.h"
#include "proxy/tls/transport_sockets.h"
#include "proxy/upstream/cluster_info.h"

namespace sennit::proxy {

enum class LbAlgorithm : uint8_t {
  RoundRobin,
  LeastRequest,
  Random,
  RingHash,
  Maglev,
  OriginalDst
};

// Upper bounds that keep a hostile or mistaken table from eating the process.
inline constexpr uint64_t kMaxRingSize = 8 * 1024 * 1024;   // Envoy's
inline constexpr uint64_t kMaxMaglevTableSize = 5'000'011;  // Envoy's, a prime

struct SubsetSelector {
  enum class Fallback : uint8_t { Inherit, None, AnyEndpoint, DefaultSubset, KeysSubset };
  std::vector<std::string> keys;  // sorted
  Fallback fallback = Fallback::Inherit;
  std::vector<std::string> fallback_keys;  // sorted, a proper subset of `keys`
  bool single_host = false;
};

struct SubsetConfig {
  SubsetSelector::Fallback fallback = SubsetSelector::Fallback::None;
  std::vector<std::pair<std::string, std::string>> default_subset;  // sorted by key
  std::vector<SubsetSelector> selectors;
  bool panic_mode_any = false;
};

struct LbConfig {
  LbAlgorithm algorithm = LbAlgorithm::RoundRobin;
  uint32_t choice_count = 2;  // least request
  uint64_t minimum_ring_size = 1024;
  uint64_t maximum_ring_size = kMaxRingSize;
  uint64_t maglev_table_size = 65537;
  bool hash_hostname = false;   // consistent hashing by hostname, not by address
  double panic_threshold = 50;  // percent; 0: never panic
  bool locality_weighted = false;
  bool fail_traffic_on_panic = false;
  std::optional<SubsetConfig> subset;
};

// Envoy's OutlierDetection with its defaults.
struct OutlierConfig {
  std::chrono::milliseconds interval{10000}, base_ejection_time{30000}, max_ejection_time{300000},
      max_ejection_time_jitter{0};
  uint32_t max_ejection_percent = 10;
  bool always_eject_one_host = false;
  bool split_local_origin = false;
  uint32_t consecutive_5xx = 5, consecutive_gateway_failure = 5,
           consecutive_local_origin_failure = 5;
  uint32_t enforcing_consecutive_5xx = 100, enforcing_consecutive_gateway_failure = 0,
           enforcing_consecutive_local_origin_failure = 100;
  uint32_t enforcing_success_rate = 100, enforcing_local_origin_success_rate = 100;
  uint32_t success_rate_minimum_hosts = 5, success_rate_request_volume = 100,
           success_rate_stdev_factor = 1900;
  uint32_t failure_percentage_threshold = 85, enforcing_failure_percentage = 0,
           enforcing_failure_percentage_local_origin = 0, failure_percentage_minimum_hosts = 5,
           failure_percentage_request_volume = 50;
};

enum class DnsFamily : uint8_t { Auto, V4Only, V6Only, V4Preferred, All };

struct DnsConfig {
  DnsFamily family = DnsFamily::Auto;
  std::chrono::milliseconds refresh_rate{5000}, jitter{0};
  // After failures: a random time below a bound that doubles from one to the other; zero: as
  // refresh_rate.
  std::chrono::milliseconds failure_base{0}, failure_max{0};
  bool respect_ttl = false;
  net::DnsOptions resolver;
};

struct TransportMatch {
  std::string name;
  std::map<std::string, std::string> match;  // all must equal; empty matches every host
  std::shared_ptr<const TransportSocketFactory> factory;
};

struct OriginalDstConfig {
  bool use_http_header = false;
  std::string http_header = "x-envoy-original-dst-host";
  uint32_t port_override = 0;
  std::chrono::milliseconds cleanup_interval{
      5000};  // destinations unused for so long are forgotten
};

struct RetryBudget {
  double percent = 20;
  uint32_t min_concurrency = 3;
};

class ClusterConfig {
 public:
  enum class Discovery : uint8_t { Static, StrictDns, LogicalDns, Eds, OriginalDst };

  std::shared_ptr<const ClusterInfo> info;
  Discovery discovery = Discovery::Static;
  std::string eds_name;
  std::chrono::milliseconds eds_initial_fetch_timeout{15000};  // 0: waits for ever
  LbConfig lb;
  std::optional<OutlierConfig> outlier;
  DnsConfig dns;
  OriginalDstConfig original_dst;
  std::optional<RetryBudget> retry_budgets[2];  // by priority
  net::ConnectOptions connect;
  // The last is the cluster's own `transport_socket`; those before it are the matches, in order.
  std::vector<TransportMatch> transports;
  bool auto_sni = false;
  // Changes of health and weight (not of membership) within this time of the last change wait for
  // its end, as in Envoy. Zero: none waits.
  std::chrono::milliseconds update_merge_window{1000};
  // The upstream network filter istio.metadata_exchange: its ALPN; empty where absent.
  std::string metadata_exchange_alpn;
  // DNS types only. False: in use at once, without hosts until the first resolution.
  bool wait_for_warm_on_init = true;

  // Which of `transports` a host with this "envoy.transport_socket_match" metadata gets.
  size_t transport_for(const std::map<std::string, std::string>& host_metadata) const;
};

// Errors name the field by its path below the cluster.
Result<std::shared_ptr<const ClusterConfig>> compile_cluster(
    const envoy::config::cluster::v3::Cluster& cluster, stats::Registry& stats,
    SecretManager& secrets);

}  // namespace sennit::proxy

// A RouteConfiguration, compiled: virtual hosts found by exact host, then longest suffix and prefix
// wildcard, then "*"; within one, the first route that matches (Envoy's order). Everything a
// request needs later is resolved here: header operations, retry policy, timeouts, cluster choice,
// per-filter configuration. Immutable; shared by the workers; a new configuration is a new table.
#pragma once

#include <envoy/config/route/v3/route.pb.h>
#include <envoy/config/route/v3/route_components.pb.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/match/header_matcher.h"
#include "proxy/route/filter_configs.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

// Envoy's retry_on tokens, as bits.
enum RetryOn : uint32_t {
  kRetry5xx = 1,
  kRetryGatewayError = 2,
  kRetryReset = 4,
  kRetryConnectFailure = 8,
  kRetryEnvoyRatelimited = 16,
  kRetryRetriable4xx = 32,
  kRetryRefusedStream = 64,
  kRetryRetriableStatusCodes = 128,
  kRetryRetriableHeaders = 256,
  kRetryResetBeforeRequest = 512,
  kRetryHttp3PostConnectFailure = 1024,
  kRetryGrpcCancelled = 2048,
  kRetryGrpcDeadlineExceeded = 4096,
  kRetryGrpcInternal = 8192,
  kRetryGrpcResourceExhausted = 16384,
  kRetryGrpcUnavailable = 32768,
};

struct RetryPolicy {
  uint32_t retry_on = 0;
  uint32_t num_retries = 1;
  std::chrono::milliseconds per_try_timeout{0};  // 0: none
  std::chrono::milliseconds per_try_idle_timeout{0};
  std::vector<uint32_t> retriable_status_codes;
  std::vector<HeaderMatcher> retriable_headers;          // of the response; any of them
  std::vector<HeaderMatcher> retriable_request_headers;  // empty: every request may be retried
  bool previous_hosts = false;
  uint32_t host_selection_max_attempts = 1;
  std::chrono::milliseconds backoff_base{25}, backoff_max{250};
};

// The bits of a comma-separated retry_on / retry_grpc_on value; unknown words are skipped, as in
// Envoy.
uint32_t parse_retry_on(std::string_view text);

// Evaluates %VALUE% formats and fixed values; see header_operations.h.
class HeaderOperations;
class HashPolicy;
class RegexSubstitution;  // proxy/match/string_matcher.h

struct MirrorPolicy {
  std::string cluster;
  uint32_t numerator = 100, denominator = 100;
  // Otherwise the mirrored request's host gets "-shadow" appended.
  bool disable_host_suffix = false;
  std::optional<bool> trace_sampled;
};

struct RedirectAction {
  // Location for the request; status 301/302/303/307/308.
  std::string location(const http::HeaderMap& request) const;
  int status = 301;
  std::string scheme, host, path, prefix_rewrite;
  bool https = false, strip_query = false;
  std::optional<uint32_t> port;
  // How much of the path prefix_rewrite replaces; beyond its end: all of it.
  size_t matched_prefix_length = 0;
  std::shared_ptr<const RegexSubstitution> regex_rewrite;
  bool keep_port = false;  // require_tls: the host goes into the location as it came
};

struct DirectResponseAction {
  int status = 200;
  std::string body;
};

// One weighted destination (a plain `cluster` action is one of weight 1).
struct WeightedCluster {
  std::string name;  // empty: `cluster_header` names the request header to read it from
  std::string cluster_header;
  uint32_t weight = 1;
  std::vector<std::pair<std::string, std::string>> metadata_match;  // "envoy.lb", sorted
  std::shared_ptr<const HeaderOperations> request_headers, response_headers;
  std::string host_rewrite;
  FilterConfigs filter_configs;  // its own, then those of the levels above
};

class Route {
 public:
  std::string name;
  std::string virtual_host;
  // Exactly one of these three is the action.
  std::optional<RedirectAction> redirect;
  std::optional<DirectResponseAction> direct_response;
  std::vector<WeightedCluster> clusters;  // non_forwarding_action: all three empty
  uint32_t total_weight = 0;

  int cluster_not_found_status = 503;
  std::optional<std::chrono::milliseconds> timeout;  // none: 15 s; zero: disabled
  std::optional<std::chrono::milliseconds> idle_timeout;
  std::optional<std::chrono::milliseconds> max_stream_duration, grpc_timeout_header_max;
  std::chrono::milliseconds grpc_timeout_header_offset{0};
  // max_grpc_timeout: with it, a gRPC request's grpc-timeout takes the place of `timeout`, bounded
  // by this (zero: unbounded), less grpc_timeout_offset.
  std::optional<std::chrono::milliseconds> max_grpc_timeout;
  std::chrono::milliseconds grpc_timeout_offset{0};
  std::shared_ptr<const RetryPolicy> retry;  // nullptr: none
  std::vector<MirrorPolicy> mirrors;
  std::shared_ptr<const HashPolicy> hash_policy;  // nullptr: none
  std::string host_rewrite;                       // host_rewrite_literal
  bool auto_host_rewrite = false;
  std::string host_rewrite_header;
  bool append_x_forwarded_host = false;
  uint32_t priority = 0;              // 1: high
  std::vector<std::string> upgrades;  // enabled upgrade types, lower case
  std::string operation;              // decorator
  uint32_t retry_shadow_buffer_limit = 64 * 1024;
  bool include_attempt_count = false;  // x-envoy-attempt-count to the upstream
  bool include_attempt_count_in_response = false;

  // Rewrites :path by prefix_rewrite / regex_rewrite; keeps the query. True if it changed.
  bool rewrite_path(http::HeaderMap& request) const;
  // The host that host_rewrite_literal (the cluster's own first), host_rewrite_header or
  // host_rewrite_path_regex ask for; none: it stays. auto_host_rewrite is the router's.
  std::optional<std::string> rewritten_host(const WeightedCluster& cluster,
                                            const http::HeaderMap& request) const;
  // Route, virtual host and table level operations in Envoy's order (with the cluster's first or
  // last as configured), with %FORMATS% evaluated.
  void apply_request_headers(const WeightedCluster& cluster, http::HeaderMap& request,
                             const StreamInfo& info) const;
  void apply_response_headers(const WeightedCluster* cluster, http::HeaderMap& response,
                              const http::HeaderMap& request, const StreamInfo& info) const;
  // The hash for consistent hashing; may add a set-cookie to `response_cookie`.
  std::optional<uint64_t> hash(const http::HeaderMap& request, const StreamInfo& info,
                               std::string* response_cookie) const;
  // `random` picks among the weights.
  const WeightedCluster& choose_cluster(uint64_t random) const;
  // typed_per_filter_config by filter name (the HCM's filter `name`), most specific first:
  // weighted cluster, route, virtual host, table. nullptr: none.
  const void* filter_config(std::string_view filter_name, const WeightedCluster* cluster) const;
  // FilterConfig{disabled: true} at the most specific level: the filter is skipped.
  bool filter_disabled(std::string_view filter_name, const WeightedCluster* cluster) const;

  struct Impl;
  std::shared_ptr<const Impl> impl;
};

class RouteTable {
 public:
  // Errors name the field by its full path ("virtual_hosts[1].routes[0].route.rate_limits: ...").
  // Per-filter configurations are parsed by the filters of the registry; this one is defined in
  // the filters' room (filter/registry.cc).
  static Result<std::shared_ptr<const RouteTable>> create(
      const envoy::config::route::v3::RouteConfiguration& config);
  static Result<std::shared_ptr<const RouteTable>> create(
      const envoy::config::route::v3::RouteConfiguration& config, FilterConfigParser parse);
  virtual ~RouteTable() = default;
  virtual const std::string& name() const = 0;
  // nullptr: no route (404 NR). `random`: for runtime fractions. `headers` is read only.
  virtual const Route* match(const http::HeaderMap& headers, const StreamInfo& info,
                             uint64_t random) const = 0;
  // Cluster names that routes refer to; for warming order and checks.
  virtual const std::vector<std::string>& clusters() const = 0;
};

}  // namespace sennit::proxy

// What a cluster is, apart from its endpoints: immutable, made from a Cluster resource on the main
// thread, shared by workers and by streams in flight (which may outlive the cluster's removal).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "http/codec.h"
#include "net/connection.h"
#include "proxy/stats/stats.h"

namespace sennit::proxy {

// Thresholds of one priority; Envoy's defaults.
struct CircuitBreakers {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
};

struct ClusterStats {
  stats::CounterId rq_total, rq_completed, rq_2xx, rq_3xx, rq_4xx, rq_5xx, rq_timeout, rq_retry,
      rq_retry_success, rq_retry_overflow, rq_retry_limit_exceeded, rq_rx_reset, rq_tx_reset,
      rq_pending_overflow, rq_pending_failure_eject, rq_cancelled, rq_per_try_timeout,
      rq_max_duration_reached, rq_maintenance_mode, cx_total, cx_connect_fail, cx_connect_timeout,
      cx_destroy, cx_destroy_local, cx_destroy_remote, cx_overflow, cx_http1_total, cx_http2_total,
      cx_max_requests, cx_idle_timeout, cx_rx_bytes_total, cx_tx_bytes_total, none_healthy,
      retry_or_shadow_abandoned, cx_max_duration_reached, cx_close_notify, rq_pending_total,
      lb_healthy_panic, lb_subsets_selected, lb_subsets_fallback, membership_change, update_success,
      update_failure, update_attempt, ejections_enforced_total, ejections_overflow,
      ejections_enforced_consecutive_5xx, ejections_detected_consecutive_5xx,
      ejections_enforced_consecutive_gateway_failure,
      ejections_detected_consecutive_gateway_failure, ejections_enforced_success_rate,
      ejections_detected_success_rate, ejections_enforced_failure_percentage,
      ejections_detected_failure_percentage, ejections_enforced_consecutive_local_origin_failure,
      ejections_detected_consecutive_local_origin_failure, health_check_attempt,
      health_check_success, health_check_failure;
  stats::GaugeId rq_active, rq_pending_active, cx_active, membership_total, membership_healthy,
      membership_degraded, ejections_active, max_host_weight;
  // Circuit breakers by priority: 1 while the limit is reached.
  stats::GaugeId cx_open[2], rq_pending_open[2], rq_open[2], rq_retry_open[2];
  stats::HistogramId rq_time, cx_connect_ms;
};

class ClusterInfo {
 public:
  std::string name;
  std::string stat_name;  // alt_stat_name, or the name
  std::chrono::milliseconds connect_timeout{5000};
  CircuitBreakers breakers[2];                      // by priority: default, high
  uint32_t max_requests_per_connection = 0;         // 0: unlimited
  std::chrono::milliseconds idle_timeout{3600000};  // upstream connections; zero: never
  std::chrono::milliseconds max_connection_duration{0};
  uint32_t per_connection_buffer_limit = 1024 * 1024;
  enum class HttpVersion {
    Http1,
    Http2,
    Downstream,
    Auto /* by ALPN */
  } http_version = HttpVersion::Http1;
  http::CodecOptions http1_options, http2_options;
  // metadata "istio": services[0] and "external": what istio.stats labels the destination with.
  std::string istio_service_host, istio_service_name, istio_service_namespace;
  bool istio_external = false;
  bool is_original_dst = false;
  // The upstream network filter istio.metadata_exchange: on a connection whose negotiated ALPN is
  // this ("istio-peer-exchange"), the TCP proxy writes its peer metadata first. Empty: no filter.
  std::string metadata_exchange_alpn;
  // metadata "istio": alpn_override is "false": istio.alpn leaves this cluster alone.
  bool istio_alpn_override = true;
  ClusterStats stats;
};

}  // namespace sennit::proxy

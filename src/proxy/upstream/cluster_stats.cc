#include "proxy/upstream/cluster_stats.h"

#include <string>

namespace sennit::proxy {
namespace {

// One cluster's names: "cluster.NAME.SUFFIX" and family "envoy_cluster_SUFFIX".
class Scope {
 public:
  Scope(stats::Registry& registry, const std::string& cluster)
      : registry_(registry), cluster_(cluster) {}

  void operator()(stats::CounterId& id, std::string_view suffix) {
    id = registry_.counter(key(suffix));
  }
  void operator()(stats::GaugeId& id, std::string_view suffix) {
    id = registry_.gauge(key(suffix));
  }
  void operator()(stats::HistogramId& id, std::string_view suffix) {
    id = registry_.histogram(key(suffix));
  }
  // Envoy's tag extraction: the class of the code becomes a label.
  void code_class(stats::CounterId& id, char digit) {
    stats::MetricKey code = key(std::string("upstream_rq_") + digit + "xx");
    code.family = "envoy_cluster_upstream_rq_xx";
    code.labels.emplace_back("envoy_response_code_class", std::string(1, digit));
    id = registry_.counter(code);
  }

 private:
  stats::MetricKey key(std::string_view suffix) const {
    std::string family = "envoy_cluster_";
    for (char c : suffix) family.push_back(c == '.' ? '_' : c);
    return {"cluster." + cluster_ + "." + std::string(suffix),
            std::move(family),
            {{"cluster_name", cluster_}}};
  }
  stats::Registry& registry_;
  const std::string& cluster_;
};

void make_request_stats(Scope& make, ClusterStats& s) {
  make(s.rq_total, "upstream_rq_total");
  make(s.rq_completed, "upstream_rq_completed");
  make.code_class(s.rq_2xx, '2');
  make.code_class(s.rq_3xx, '3');
  make.code_class(s.rq_4xx, '4');
  make.code_class(s.rq_5xx, '5');
  make(s.rq_timeout, "upstream_rq_timeout");
  make(s.rq_retry, "upstream_rq_retry");
  make(s.rq_retry_success, "upstream_rq_retry_success");
  make(s.rq_retry_overflow, "upstream_rq_retry_overflow");
  make(s.rq_retry_limit_exceeded, "upstream_rq_retry_limit_exceeded");
  make(s.rq_rx_reset, "upstream_rq_rx_reset");
  make(s.rq_tx_reset, "upstream_rq_tx_reset");
  make(s.rq_pending_total, "upstream_rq_pending_total");
  make(s.rq_pending_overflow, "upstream_rq_pending_overflow");
  make(s.rq_pending_failure_eject, "upstream_rq_pending_failure_eject");
  make(s.rq_cancelled, "upstream_rq_cancelled");
  make(s.rq_per_try_timeout, "upstream_rq_per_try_timeout");
  make(s.rq_max_duration_reached, "upstream_rq_max_duration_reached");
  make(s.rq_maintenance_mode, "upstream_rq_maintenance_mode");
  make(s.retry_or_shadow_abandoned, "retry_or_shadow_abandoned");
  make(s.rq_active, "upstream_rq_active");
  make(s.rq_pending_active, "upstream_rq_pending_active");
  make(s.rq_time, "upstream_rq_time");
}

void make_connection_stats(Scope& make, ClusterStats& s) {
  make(s.cx_total, "upstream_cx_total");
  make(s.cx_connect_fail, "upstream_cx_connect_fail");
  make(s.cx_connect_timeout, "upstream_cx_connect_timeout");
  make(s.cx_destroy, "upstream_cx_destroy");
  make(s.cx_destroy_local, "upstream_cx_destroy_local");
  make(s.cx_destroy_remote, "upstream_cx_destroy_remote");
  make(s.cx_overflow, "upstream_cx_overflow");
  make(s.cx_http1_total, "upstream_cx_http1_total");
  make(s.cx_http2_total, "upstream_cx_http2_total");
  make(s.cx_max_requests, "upstream_cx_max_requests");
  make(s.cx_max_duration_reached, "upstream_cx_max_duration_reached");
  make(s.cx_close_notify, "upstream_cx_close_notify");
  make(s.cx_idle_timeout, "upstream_cx_idle_timeout");
  make(s.cx_rx_bytes_total, "upstream_cx_rx_bytes_total");
  make(s.cx_tx_bytes_total, "upstream_cx_tx_bytes_total");
  make(s.cx_active, "upstream_cx_active");
  make(s.cx_connect_ms, "upstream_cx_connect_ms");
}

void make_membership_stats(Scope& make, ClusterStats& s) {
  make(s.none_healthy, "upstream_cx_none_healthy");
  make(s.lb_healthy_panic, "lb_healthy_panic");
  make(s.lb_subsets_selected, "lb_subsets_selected");
  make(s.lb_subsets_fallback, "lb_subsets_fallback");
  make(s.membership_change, "membership_change");
  make(s.membership_total, "membership_total");
  make(s.membership_healthy, "membership_healthy");
  make(s.membership_degraded, "membership_degraded");
  make(s.max_host_weight, "max_host_weight");
  make(s.update_attempt, "update_attempt");
  make(s.update_success, "update_success");
  make(s.update_failure, "update_failure");
  make(s.health_check_attempt, "health_check.attempt");
  make(s.health_check_success, "health_check.success");
  make(s.health_check_failure, "health_check.failure");
}

void make_outlier_stats(Scope& make, ClusterStats& s) {
  make(s.ejections_active, "outlier_detection.ejections_active");
  make(s.ejections_enforced_total, "outlier_detection.ejections_enforced_total");
  make(s.ejections_overflow, "outlier_detection.ejections_overflow");
  const std::string enforced = "outlier_detection.ejections_enforced_";
  const std::string detected = "outlier_detection.ejections_detected_";
  make(s.ejections_enforced_consecutive_5xx, enforced + "consecutive_5xx");
  make(s.ejections_detected_consecutive_5xx, detected + "consecutive_5xx");
  make(s.ejections_enforced_consecutive_gateway_failure, enforced + "consecutive_gateway_failure");
  make(s.ejections_detected_consecutive_gateway_failure, detected + "consecutive_gateway_failure");
  make(s.ejections_enforced_success_rate, enforced + "success_rate");
  make(s.ejections_detected_success_rate, detected + "success_rate");
  make(s.ejections_enforced_failure_percentage, enforced + "failure_percentage");
  make(s.ejections_detected_failure_percentage, detected + "failure_percentage");
  make(s.ejections_enforced_consecutive_local_origin_failure,
       enforced + "consecutive_local_origin_failure");
  make(s.ejections_detected_consecutive_local_origin_failure,
       detected + "consecutive_local_origin_failure");
}

void make_breaker_stats(Scope& make, ClusterStats& s) {
  const std::string prefixes[] = {"circuit_breakers.default.", "circuit_breakers.high."};
  for (size_t priority = 0; priority < 2; ++priority) {
    make(s.cx_open[priority], prefixes[priority] + "cx_open");
    make(s.rq_pending_open[priority], prefixes[priority] + "rq_pending_open");
    make(s.rq_open[priority], prefixes[priority] + "rq_open");
    make(s.rq_retry_open[priority], prefixes[priority] + "rq_retry_open");
  }
}

}  // namespace

ClusterStats make_cluster_stats(stats::Registry& registry, const std::string& stat_name) {
  ClusterStats result;
  Scope make(registry, stat_name);
  make_request_stats(make, result);
  make_connection_stats(make, result);
  make_membership_stats(make, result);
  make_outlier_stats(make, result);
  make_breaker_stats(make, result);
  return result;
}

}  // namespace sennit::proxy

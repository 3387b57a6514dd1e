// The counters of one HTTP connection manager (`http.PREFIX.*`), resolved to ids when the
// configuration is built. Names are Envoy's; see its "HTTP connection manager statistics".
#pragma once

#include <string_view>

#include "proxy/stats/stats.h"

namespace sennit::proxy {

struct HcmStats {
  HcmStats(stats::Registry& registry, std::string_view stat_prefix);

  stats::CounterId cx_total, cx_http1_total, cx_http2_total, cx_ssl_total, cx_destroy,
      cx_destroy_local, cx_destroy_remote, cx_drain_close, cx_idle_timeout, cx_max_duration_reached,
      cx_max_requests_reached, cx_protocol_error, cx_rx_bytes_total, cx_tx_bytes_total;
  stats::GaugeId cx_active, cx_ssl_active, rq_active;
  stats::CounterId rq_total, rq_http1_total, rq_http2_total, rq_completed, rq_rx_reset, rq_tx_reset,
      rq_timeout, rq_header_timeout, rq_idle_timeout, rq_max_duration_reached, rq_non_relative_path,
      rq_response_before_rq_complete;
  stats::CounterId rq_by_class[5];  // 1xx to 5xx
  stats::HistogramId rq_time, cx_length_ms;
  // The router's.
  stats::CounterId no_route, no_cluster, rq_redirect, rq_direct_response, router_rq_total,
      rq_reset_after_downstream_response_started;
};

}  // namespace sennit::proxy

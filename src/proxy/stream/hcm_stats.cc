#include "proxy/stream/hcm_stats.h"

#include <fmt/format.h>

namespace sennit::proxy {
namespace {

class Names {
 public:
  Names(stats::Registry& registry, std::string_view prefix)
      : registry_(registry), prefix_(prefix) {}

  void bind(stats::CounterId& id, std::string_view name) { id = registry_.counter(key(name)); }
  void bind(stats::GaugeId& id, std::string_view name) { id = registry_.gauge(key(name)); }
  void bind(stats::HistogramId& id, std::string_view name) { id = registry_.histogram(key(name)); }
  // Envoy's Prometheus families fold the response classes into a label.
  void bind_class(stats::CounterId& id, int response_class) {
    auto labels = common_labels();
    labels.emplace_back("envoy_response_code_class", fmt::to_string(response_class));
    id = registry_.counter({fmt::format("http.{}.downstream_rq_{}xx", prefix_, response_class),
                            "envoy_http_downstream_rq_xx", std::move(labels)});
  }

 private:
  stats::Labels common_labels() const {
    return {{"envoy_http_conn_manager_prefix", std::string(prefix_)}};
  }
  stats::MetricKey key(std::string_view name) const {
    return {fmt::format("http.{}.{}", prefix_, name), fmt::format("envoy_http_{}", name),
            common_labels()};
  }

  stats::Registry& registry_;
  std::string_view prefix_;
};

}  // namespace

HcmStats::HcmStats(stats::Registry& registry, std::string_view stat_prefix) {
  Names names(registry, stat_prefix);
  names.bind(cx_total, "downstream_cx_total");
  names.bind(cx_http1_total, "downstream_cx_http1_total");
  names.bind(cx_http2_total, "downstream_cx_http2_total");
  names.bind(cx_ssl_total, "downstream_cx_ssl_total");
  names.bind(cx_destroy, "downstream_cx_destroy");
  names.bind(cx_destroy_local, "downstream_cx_destroy_local");
  names.bind(cx_destroy_remote, "downstream_cx_destroy_remote");
  names.bind(cx_drain_close, "downstream_cx_drain_close");
  names.bind(cx_idle_timeout, "downstream_cx_idle_timeout");
  names.bind(cx_max_duration_reached, "downstream_cx_max_duration_reached");
  names.bind(cx_max_requests_reached, "downstream_cx_max_requests_reached");
  names.bind(cx_protocol_error, "downstream_cx_protocol_error");
  names.bind(cx_rx_bytes_total, "downstream_cx_rx_bytes_total");
  names.bind(cx_tx_bytes_total, "downstream_cx_tx_bytes_total");
  names.bind(cx_active, "downstream_cx_active");
  names.bind(cx_ssl_active, "downstream_cx_ssl_active");
  names.bind(cx_length_ms, "downstream_cx_length_ms");
  names.bind(rq_active, "downstream_rq_active");
  names.bind(rq_total, "downstream_rq_total");
  names.bind(rq_http1_total, "downstream_rq_http1_total");
  names.bind(rq_http2_total, "downstream_rq_http2_total");
  names.bind(rq_completed, "downstream_rq_completed");
  names.bind(rq_rx_reset, "downstream_rq_rx_reset");
  names.bind(rq_tx_reset, "downstream_rq_tx_reset");
  names.bind(rq_timeout, "downstream_rq_timeout");
  names.bind(rq_header_timeout, "downstream_rq_header_timeout");
  names.bind(rq_idle_timeout, "downstream_rq_idle_timeout");
  names.bind(rq_max_duration_reached, "downstream_rq_max_duration_reached");
  names.bind(rq_non_relative_path, "downstream_rq_non_relative_path");
  names.bind(rq_response_before_rq_complete, "downstream_rq_response_before_rq_complete");
  names.bind(rq_time, "downstream_rq_time");
  for (int i = 0; i < 5; ++i) names.bind_class(rq_by_class[i], i + 1);
  names.bind(no_route, "no_route");
  names.bind(no_cluster, "no_cluster");
  names.bind(rq_redirect, "rq_redirect");
  names.bind(rq_direct_response, "rq_direct_response");
  names.bind(router_rq_total, "rq_total");
  names.bind(rq_reset_after_downstream_response_started,
             "rq_reset_after_downstream_response_started");
}

}  // namespace sennit::proxy

// ListenerConfig as this room sees it: everything resolved.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "net/listen.h"
#include "proxy/listener/filter_chain_match.h"
#include "proxy/listener/listener.h"
#include "proxy/listener/listener_filters.h"
#include "proxy/listener/network_filters.h"

namespace sennit::proxy {

// Envoy's listener.ADDRESS.* counters.
struct ListenerStats {
  ListenerStats() = default;
  ListenerStats(stats::Registry& registry, const std::string& prefix);

  stats::CounterId cx_total, cx_destroy, cx_overflow, pre_cx_timeout, no_filter_chain_match,
      accept_error, ssl_handshake, ssl_connection_error, ssl_no_certificate, ssl_session_reused,
      ssl_fail_verify_error;
  stats::GaugeId cx_active, pre_cx_active;
  stats::HistogramId cx_length_ms;
};

struct FilterChain {
  std::string name;
  std::shared_ptr<const TransportSocketFactory> transport;
  std::chrono::milliseconds handshake_timeout;
  NetworkFilters filters;
};

class ListenerConfigImpl final : public ListenerConfig {
 public:
  const std::string& name() const override { return name_; }
  const net::Address& address() const override { return address_; }
  bool bind_to_port() const override { return bind_to_port_; }
  bool reuse_port() const override { return reuse_port_; }
  TrafficDirection direction() const override { return direction_; }
  const std::vector<std::string>& rds_names() const override { return rds_names_; }

  // nullptr: no chain fits, and there is no default one.
  const FilterChain* find_chain(const ConnectionFacts& facts) const {
    const auto index = matcher_.find(facts);
    return index ? chains_[*index].get() : default_chain_.get();
  }

  std::string name_;
  net::Address address_;
  net::ListenOptions listen_options_;
  bool bind_to_port_ = true;
  bool reuse_port_ = true;
  bool use_original_dst_ = false;
  TrafficDirection direction_ = TrafficDirection::Unspecified;
  uint32_t buffer_limit_ = 0;
  uint32_t max_accepts_ = 0;
  std::chrono::milliseconds filters_timeout_{};  // zero: none
  bool continue_on_timeout_ = false;
  std::vector<ListenerFilter> filters_;
  FilterChainMatcher matcher_;
  std::vector<std::unique_ptr<FilterChain>> chains_;
  std::unique_ptr<FilterChain> default_chain_;
  std::vector<std::shared_ptr<const AccessLog>> access_logs_;
  std::vector<std::string> rds_names_;
  ListenerStats stats_;
};

}  // namespace sennit::proxy

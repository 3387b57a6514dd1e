// A filter chain's network filters, compiled: what is asked before a connection is served, and
// what serves it (HTTP connection manager or TCP proxy).
#pragma once

#include <envoy/config/listener/v3/listener_components.pb.h>
#include <envoy/extensions/filters/network/rbac/v3/rbac.pb.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "proxy/filter/rbac/engine.h"
#include "proxy/listener/listener.h"
#include "proxy/listener/tcp_proxy.h"
#include "proxy/telemetry/istio_stats.h"

namespace sennit::proxy {

// envoy.filters.network.rbac.
struct NetworkRbac {
  std::shared_ptr<const rbac::Engine> rules;   // nullptr: enforces nothing
  std::shared_ptr<const rbac::Engine> shadow;  // counted only
  stats::CounterId allowed, denied, shadow_allowed, shadow_denied;

  static Result<NetworkRbac> create(
      const envoy::extensions::filters::network::rbac::v3::RBAC& config, stats::Registry& registry);
};

struct NetworkFilters {
  std::vector<NetworkRbac> rbac;
  // Exactly one is set.
  std::shared_ptr<const HcmConfig> http;
  std::shared_ptr<const TcpProxyConfig> tcp;
  // istio.metadata_exchange: the ALPN protocol that announces it; empty: not configured.
  std::string metadata_exchange_protocol;
  std::string announcement;  // what is sent to such a peer first
  // istio.stats before a TCP proxy, which then reports to it.
  std::vector<std::shared_ptr<const IstioStats>> istio_stats;

  using Filters = google::protobuf::RepeatedPtrField<envoy::config::listener::v3::Filter>;
  static Result<NetworkFilters> create(const Filters& filters, const FilterBuildContext& context);

  // Why `downstream` is refused by the RBAC filters; empty: it is not.
  std::string refusal(const DownstreamInfo& downstream, stats::Shard& shard) const;
};

}  // namespace sennit::proxy

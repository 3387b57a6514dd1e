// Istio's own filters, for proxies that know them: peer metadata, metadata exchange, istio.stats,
// ALPN override. A proxy that does not know one is not sent it.
#pragma once

#include <envoy/config/cluster/v3/cluster.pb.h>
#include <envoy/config/listener/v3/listener_components.pb.h>
#include <envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h>

#include "mesh/translate/common.h"

namespace sennit::mesh {

enum class Direction { Inbound, Outbound, Gateway };

using HttpManager =
    envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

void add_cluster_metadata_exchange(const Proxy& proxy,
                                   envoy::config::cluster::v3::Cluster& cluster);
// Before all other HTTP filters.
void add_peer_metadata(const Proxy& proxy, Direction direction, HttpManager& manager);
void add_alpn(const Proxy& proxy, HttpManager& manager);
// Just before the router.
void add_http_stats(const Proxy& proxy, Direction direction, HttpManager& manager);
// Network filters: exchange (inbound only) first, statistics just before tcp_proxy.
void add_network_exchange(const Proxy& proxy, envoy::config::listener::v3::FilterChain& chain);
void add_network_stats(const Proxy& proxy, Direction direction,
                       envoy::config::listener::v3::FilterChain& chain);

}  // namespace sennit::mesh

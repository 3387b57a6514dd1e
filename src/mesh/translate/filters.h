// Network filter chains: HTTP connection managers and TCP proxies with Istio's filters in Istio's
// order.
#pragma once

#include <envoy/config/listener/v3/listener.pb.h>
#include <envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h>

#include <string>
#include <string_view>

#include "mesh/translate/common.h"
#include "mesh/translate/telemetry_filters.h"

namespace sennit::mesh {

using FilterChain = envoy::config::listener::v3::FilterChain;
using Listener = envoy::config::listener::v3::Listener;

// Everything but where the routes come from.
HttpManager make_http_manager(const Mesh& mesh, const Proxy& proxy, Direction direction,
                              const std::string& stat_prefix);
void use_rds(HttpManager& manager, const std::string& route_name);
void add_http_manager(const HttpManager& manager, FilterChain& chain);

// To one cluster; `logged`: with the mesh's access log.
void add_tcp_proxy(const Mesh& mesh, const Proxy& proxy, Direction direction,
                   std::string_view cluster, bool logged, FilterChain& chain);

void add_tls_inspector(Listener& listener);
void add_http_inspector(Listener& listener);
// A listener's name, address, direction.
Listener make_listener(std::string name, const std::string& address, uint32_t port, bool inbound);

}  // namespace sennit::mesh

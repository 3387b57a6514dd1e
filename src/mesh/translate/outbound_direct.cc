// Outbound listeners without interception, and those of proxyless gRPC.
#include <fmt/format.h>

#include "mesh/translate/filters.h"
#include "mesh/translate/outbound.h"
#include "mesh/translate/tcp_routes.h"

namespace sennit::mesh {

namespace {

// PREFIX.1 is the HTTP proxy's.
constexpr int kHttpProxyIndex = 1;

Listener http_proxy_listener(const Mesh& mesh, const Proxy& proxy) {
  Listener out =
      make_listener(kHttpProxyRoutes, fmt::format("{}.{}", proxy.loopback_prefix, kHttpProxyIndex),
                    proxy.http_proxy_port, false);
  HttpManager manager = make_http_manager(mesh, proxy, Direction::Outbound, "outbound_http_proxy");
  manager.mutable_http_protocol_options()->mutable_allow_absolute_url()->set_value(true);
  use_rds(manager, kHttpProxyRoutes);
  add_http_manager(manager, *out.add_filter_chains());
  return out;
}

Listener service_listener(const Mesh& mesh, const Proxy& proxy, const Service& service,
                          const ServicePort& port, const std::vector<VirtualServicePtr>& rules,
                          uint8_t index) {
  std::string name = fmt::format("{}:{}", service.hostname, port.number);
  Listener out =
      make_listener(name, fmt::format("{}.{}", proxy.loopback_prefix, index), port.number, false);
  if (is_http(port.protocol) || port.protocol == Protocol::Auto) {
    HttpManager manager = make_http_manager(mesh, proxy, Direction::Outbound, "outbound_" + name);
    use_rds(manager, name);
    FilterChain& chain = *out.add_filter_chains();
    add_http_manager(manager, chain);
    if (is_http(port.protocol)) return out;
    auto* match = chain.mutable_filter_chain_match();
    match->set_transport_protocol("raw_buffer");
    for (const char* plain : {"http/1.1", "h2c"}) match->add_application_protocols(plain);
    add_http_inspector(out);
    *out.mutable_listener_filters_timeout() = seconds(0);
    out.set_continue_on_listener_filters_timeout(true);
  }
  bool by_name = false;
  for (auto& chain : sidecar_tcp_chains(mesh, proxy, {service, port, "", false}, rules)) {
    // The application connects to this listener's address, not to one of the service's.
    if (chain.filter_chain_match().prefix_ranges_size() > 0) continue;
    by_name |= chain.filter_chain_match().server_names_size() > 0;
    *out.add_filter_chains() = std::move(chain);
  }
  if (by_name) add_tls_inspector(out);
  return out;
}

}  // namespace

std::vector<Listener> direct_outbound_listeners(const Mesh& mesh, const Proxy& proxy) {
  std::vector<Listener> out;
  if (proxy.loopback_prefix.empty()) return out;
  auto scope = mesh.scope(proxy);
  std::vector<VirtualServicePtr> rules = mesh.virtual_services_of_gateway("mesh", proxy.namespace_);
  for (const auto& service : scope->services) {
    uint8_t index = mesh.loopback_index(*service);
    // There is no address to connect to without a name or endpoints of its own.
    if (index == 0 || service->resolution == Resolution::None) continue;
    for (const auto& port : service->ports) {
      if (port.protocol == Protocol::Udp) continue;
      Listener made = service_listener(mesh, proxy, *service, port, rules, index);
      if (made.filter_chains_size() > 0) out.push_back(std::move(made));
    }
  }
  if (proxy.http_proxy_port != 0) out.push_back(http_proxy_listener(mesh, proxy));
  return out;
}

std::vector<Listener> grpc_listeners(const Mesh& mesh, const Proxy& proxy) {
  std::vector<Listener> out;
  // gRPC knows these two of our HTTP filters, and nothing of our logs.
  for (const auto& service : mesh.scope(proxy)->services) {
    for (const auto& port : service->ports) {
      if (!is_http(port.protocol) && port.protocol != Protocol::Auto) continue;
      std::string name = fmt::format("{}:{}", service->hostname, port.number);
      HttpManager manager = make_http_manager(mesh, proxy, Direction::Outbound, "outbound_" + name);
      google::protobuf::RepeatedPtrField<
          envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter>
          kept;
      for (auto& filter : *manager.mutable_http_filters()) {
        if (filter.name() == "envoy.filters.http.fault" ||
            filter.name() == "envoy.filters.http.router") {
          *kept.Add() = filter;
        }
      }
      *manager.mutable_http_filters() = kept;
      manager.clear_access_log();
      manager.clear_upgrade_configs();
      manager.clear_request_id_extension();
      use_rds(manager, name);
      Listener listener;
      listener.set_name(name);
      *listener.mutable_api_listener()->mutable_api_listener() = pack(manager);
      out.push_back(std::move(listener));
    }
  }
  return out;
}

}  // namespace sennit::mesh

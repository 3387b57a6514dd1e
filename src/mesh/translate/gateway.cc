#include "mesh/translate/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "mesh/translate/access_log.h"
#include "mesh/translate/filters.h"
#include "mesh/translate/mtls.h"
#include "mesh/translate/tcp_routes.h"

namespace sennit::mesh {

namespace {

constexpr int64_t kHandshakeSeconds = 15;

// What tells servers of one port apart: the hosts without their namespaces.
std::vector<std::string> server_names(const api::Server& server) {
  std::vector<std::string> out;
  for (const auto& host : server.hosts()) {
    std::string name = host.substr(host.find('/') == host.npos ? 0 : host.find('/') + 1);
    if (name == "*") return {};
    if (std::ranges::find(out, name) == out.end()) out.push_back(name);
  }
  return out;
}

class GatewayMaker {
 public:
  GatewayMaker(const Mesh& mesh, const Proxy& proxy) : mesh_(mesh), proxy_(proxy) {}

  Listener make(const GatewayPort& port) {
    std::string bind = port.bind.empty() ? "0.0.0.0" : port.bind;
    std::string name = fmt::format("{}_{}", bind, port.number);
    Listener listener = make_listener(name, bind, port.number, false);
    constexpr uint32_t kAcceptsPerEvent = 1;
    listener.mutable_max_connections_to_accept_per_socket_event()->set_value(kAcceptsPerEvent);
    std::set<std::string> taken;  // server names and routes that have a chain
    for (const auto& server : port.servers) {
      std::string routes = gateway_route_name(server);
      if (routes.empty()) {
        tcp(server, taken, listener);
      } else if (!terminates_tls(*server.server)) {
        if (taken.insert(routes).second) http(routes, name, {}, *listener.add_filter_chains());
      } else {
        https(server, routes, name, taken, listener);
      }
    }
    bool by_name = std::ranges::any_of(listener.filter_chains(), [](const FilterChain& chain) {
      return chain.filter_chain_match().server_names_size() > 0 || chain.has_transport_socket();
    });
    if (by_name) add_tls_inspector(listener);
    add_listener_access_log(mesh_, *listener.mutable_access_log());
    return listener;
  }

 private:
  void http(const std::string& routes, const std::string& listener_name, const api::Server* tls,
            FilterChain& chain) {
    HttpManager manager =
        make_http_manager(mesh_, proxy_, Direction::Gateway, "outbound_" + listener_name);
    manager.mutable_http_protocol_options();
    use_rds(manager, routes);
    add_http_manager(manager, chain);
    if (tls != nullptr)
      *chain.mutable_transport_socket() = gateway_server_tls(tls->tls(), mesh_, true);
    *chain.mutable_transport_socket_connect_timeout() = seconds(kHandshakeSeconds);
  }

  void https(const GatewayServer& server, const std::string& routes,
             const std::string& listener_name, std::set<std::string>& taken, Listener& listener) {
    std::vector<std::string> names = server_names(*server.server);
    bool all = names.empty();
    std::erase_if(names, [&](const std::string& name) { return !taken.insert(name).second; });
    if (all ? !taken.insert("*").second : names.empty()) return;  // an older Gateway has them
    FilterChain& chain = *listener.add_filter_chains();
    for (const auto& name : names) chain.mutable_filter_chain_match()->add_server_names(name);
    http(routes, listener_name, server.server, chain);
  }

  void tcp(const GatewayServer& server, std::set<std::string>& taken, Listener& listener) {
    for (auto& chain : gateway_tcp_chains(mesh_, proxy_, server.gateway, *server.server)) {
      if (terminates_tls(*server.server)) {
        for (const auto& name : server_names(*server.server)) {
          chain.mutable_filter_chain_match()->add_server_names(name);
        }
        *chain.mutable_transport_socket() = gateway_server_tls(server.server->tls(), mesh_, false);
      }
      if (!taken.insert(deterministic_bytes(chain.filter_chain_match())).second) continue;
      *chain.mutable_transport_socket_connect_timeout() = seconds(kHandshakeSeconds);
      *listener.add_filter_chains() = std::move(chain);
    }
  }

  const Mesh& mesh_;
  const Proxy& proxy_;
};

}  // namespace

bool terminates_tls(const api::Server& server) {
  if (!server.has_tls() || is_http(parse_protocol(server.port().protocol()))) return false;
  return server.tls().mode() != api::ServerTLSSettings::PASSTHROUGH &&
         server.tls().mode() != api::ServerTLSSettings::AUTO_PASSTHROUGH;
}

std::string gateway_route_name(const GatewayServer& server) {
  const auto& port = server.server->port();
  Protocol protocol = parse_protocol(port.protocol());
  if (is_http(protocol)) return fmt::format("http.{}", port.number());
  if (protocol == Protocol::Https && terminates_tls(*server.server)) {
    return fmt::format("https.{}.{}.{}.{}", port.number(), port.name(),
                       server.gateway.resource->name, server.gateway.resource->namespace_);
  }
  return "";
}

std::vector<GatewayPort> gateway_ports(const Mesh& mesh, const Proxy& proxy) {
  std::vector<GatewayPort> out;
  for (const auto& gateway : mesh.gateways_for(proxy)) {
    for (const auto& server : gateway.spec().servers()) {
      auto at = std::ranges::find_if(out, [&](const GatewayPort& port) {
        return port.number == server.port().number() && port.bind == server.bind();
      });
      if (at == out.end()) {
        out.push_back({server.bind(), server.port().number(), {}});
        at = out.end() - 1;
      }
      // Plain HTTP and anything else cannot share a port: the older one has it.
      bool plain = is_http(parse_protocol(server.port().protocol()));
      bool other = !at->servers.empty() &&
                   is_http(parse_protocol(at->servers[0].server->port().protocol())) != plain;
      if (!other) at->servers.push_back({gateway, &server});
    }
  }
  std::ranges::stable_sort(out, {}, &GatewayPort::number);
  return out;
}

std::vector<GatewayServer> servers_of_route(const Mesh& mesh, const Proxy& proxy,
                                            std::string_view route_name) {
  std::vector<GatewayServer> out;
  for (const auto& port : gateway_ports(mesh, proxy)) {
    for (const auto& server : port.servers) {
      if (gateway_route_name(server) == route_name) out.push_back(server);
    }
  }
  return out;
}

std::vector<Listener> gateway_listeners(const Mesh& mesh, const Proxy& proxy) {
  std::vector<Listener> out;
  for (const auto& port : gateway_ports(mesh, proxy)) {
    Listener made = GatewayMaker(mesh, proxy).make(port);
    if (made.filter_chains_size() > 0) out.push_back(std::move(made));
  }
  return out;
}

}  // namespace sennit::mesh

// Virtual hosts of a gateway's route configurations.
#include <fmt/format.h>

#include <algorithm>

#include "mesh/model/hostname.h"
#include "mesh/translate/gateway.h"
#include "mesh/translate/route_context.h"

namespace sennit::mesh {

namespace {

// A server's hosts as VirtualServices of `namespace_` may use them: "NAMESPACE/HOST" admits one
// namespace, "./HOST" the Gateway's own.
std::vector<std::string> hosts_for(const GatewayServer& server, const std::string& namespace_) {
  std::vector<std::string> out;
  for (const auto& written : server.server->hosts()) {
    size_t slash = written.find('/');
    if (slash == written.npos) {
      out.push_back(written);
      continue;
    }
    std::string admitted = written.substr(0, slash);
    if (admitted == ".") admitted = server.gateway.resource->namespace_;
    if (admitted == "*" || admitted == namespace_) out.push_back(written.substr(slash + 1));
  }
  return out;
}

class GatewayRoutes {
 public:
  GatewayRoutes(const Mesh& mesh, const Proxy& proxy) : mesh_(mesh), proxy_(proxy) {}

  void add(const GatewayServer& server) {
    uint32_t port = server.server->port().number();
    std::string gateway = server.gateway.full_name();
    bool redirect = server.server->tls().https_redirect();
    for (const auto& rule : mesh_.virtual_services_of_gateway(gateway, proxy_.namespace_)) {
      auto hosts = intersect_hosts(hosts_for(server, rule->resource->namespace_),
                                   {rule->spec.hosts().begin(), rule->spec.hosts().end()});
      if (hosts.empty()) continue;
      auto routes = make_routes(*rule, {mesh_, proxy_, port, gateway});
      if (routes.empty()) continue;
      for (const auto& host : hosts) {
        auto& at = virtual_host(host, port);
        for (const auto& route : routes) *at.add_routes() = route;
        if (redirect) at.set_require_tls(route_v3::VirtualHost::ALL);
      }
    }
    if (!redirect) return;
    for (const auto& written : server.server->hosts()) {
      size_t slash = written.find('/');
      virtual_host(slash == written.npos ? written : written.substr(slash + 1), port)
          .set_require_tls(route_v3::VirtualHost::ALL);
    }
  }

  std::vector<route_v3::VirtualHost> take(uint32_t port) {
    std::vector<route_v3::VirtualHost> out;
    for (auto& [host, made] : hosts_) {
      // Of the rules that were merged, those for everything come last.
      std::stable_sort(made.mutable_routes()->begin(), made.mutable_routes()->end(),
                       [](const route_v3::Route& a, const route_v3::Route& b) {
                         return !takes_everything(a) && takes_everything(b);
                       });
      out.push_back(std::move(made));
    }
    if (out.empty()) {
      out.emplace_back();
      out.back().set_name(fmt::format("blackhole:{}", port));
      out.back().add_domains("*");
    }
    return out;
  }

 private:
  route_v3::VirtualHost& virtual_host(const std::string& host, uint32_t port) {
    auto& at = hosts_[host];
    if (at.name().empty()) {
      at.set_name(fmt::format("{}:{}", host, port));
      at.add_domains(host);
      at.set_include_request_attempt_count(true);
    }
    return at;
  }

  const Mesh& mesh_;
  const Proxy& proxy_;
  std::map<std::string, route_v3::VirtualHost> hosts_;
};

}  // namespace

bool gateway_virtual_hosts(const Mesh& mesh, const Proxy& proxy, std::string_view route_name,
                           std::vector<route_v3::VirtualHost>& out) {
  auto servers = servers_of_route(mesh, proxy, route_name);
  if (servers.empty()) return false;
  GatewayRoutes routes(mesh, proxy);
  for (const auto& server : servers) routes.add(server);
  out = routes.take(servers[0].server->port().number());
  return true;
}

}  // namespace sennit::mesh

// Virtual hosts of a sidecar's route configurations: "80" (all HTTP services of the port),
// "HOST:80" (one service) and the explicit HTTP proxy's.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "mesh/model/hostname.h"
#include "mesh/translate/outbound.h"
#include "mesh/translate/route_context.h"

namespace sennit::mesh {

namespace {

// What a route configuration's name asks for.
struct RouteName {
  uint32_t port = 0;
  std::string host;  // not empty: this service only
};

bool parse_route_name(std::string_view name, RouteName& out) {
  if (name == kHttpProxyRoutes) return true;
  size_t colon = name.rfind(':');
  std::string_view digits = colon == name.npos ? name : name.substr(colon + 1);
  if (colon != name.npos) out.host = name.substr(0, colon);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  return error == std::errc() && end == digits.data() + digits.size() && !digits.empty();
}

bool carries_http(const ServicePort& port) {
  return is_http(port.protocol) || port.protocol == Protocol::Auto;
}

// The names by which Kubernetes' DNS lets a client of the proxy's namespace call the service.
std::vector<std::string> short_names(const std::string& hostname, const Proxy& proxy) {
  size_t svc = hostname.find(".svc.");
  size_t own = proxy.dns_domain.find(".svc.");
  if (svc == hostname.npos || own == std::string::npos) return {};
  if (hostname.substr(svc) != proxy.dns_domain.substr(own)) return {};
  size_t dot = hostname.find('.');
  if (dot + 1 > svc) return {};
  std::string with_namespace = hostname.substr(0, svc);
  bool same = hostname.substr(dot + 1, svc - dot - 1) == proxy.dns_domain.substr(0, own);
  if (same) return {hostname.substr(0, dot), with_namespace + ".svc", with_namespace};
  return {with_namespace, with_namespace + ".svc"};
}

class SidecarRoutes {
 public:
  SidecarRoutes(const Mesh& mesh, const Proxy& proxy, const RouteName& name)
      : mesh_(mesh), proxy_(proxy), name_(name), scope_(mesh.scope(proxy)) {
    gather();
  }

  std::vector<route_v3::VirtualHost> make() {
    for (const auto& [rule, hosts] : claims()) of_rule(*rule, hosts);
    for (const auto& [host, service] : services_) {
      for (const auto& port : service->ports) {
        if (!wanted(port) || done_.contains(host_name(host, port.number))) continue;
        RouteContext context{mesh_, proxy_, port.number, "mesh"};
        add(host, port.number, service, {default_route(*service, port.number, context)});
      }
    }
    std::ranges::stable_sort(hosts_, {}, &route_v3::VirtualHost::name);
    if (name_.host.empty()) {
      catch_all();
    } else {
      only_named();
    }
    return std::move(hosts_);
  }

 private:
  static std::string host_name(const std::string& host, uint32_t port) {
    return fmt::format("{}:{}", host, port);
  }

  bool wanted(const ServicePort& port) const {
    return carries_http(port) && (name_.port == 0 || port.number == name_.port);
  }

  // The services and rules of the listeners that this configuration is of.
  void gather() {
    bool own_listener = std::ranges::any_of(scope_->listeners, [&](const auto& part) {
      return part.egress != nullptr && name_.port != 0 &&
             part.egress->port().number() == name_.port;
    });
    for (const auto& part : scope_->listeners) {
      uint32_t port = part.egress == nullptr ? 0 : part.egress->port().number();
      if (own_listener ? port != name_.port : port != 0) continue;
      for (const auto& service : part.services) {
        if (std::ranges::any_of(service->ports, [&](const auto& p) { return wanted(p); })) {
          services_.emplace(service->hostname, service);
        }
      }
      for (const auto& rule : part.virtual_services) {
        if (std::ranges::find(rules_, rule) == rules_.end()) rules_.push_back(rule);
      }
    }
  }

  // Which hosts each rule speaks for: its own, and for a wildcard every service that no narrower
  // rule speaks for.
  std::vector<std::pair<VirtualServicePtr, std::vector<std::string>>> claims() const {
    std::map<std::string, VirtualServicePtr> wildcard_owner;
    for (const auto& [host, service] : services_) {
      size_t best = 0;
      bool exact = std::ranges::any_of(rules_, [&](const auto& rule) {
        return std::ranges::find(rule->spec.hosts(), host) != rule->spec.hosts().end();
      });
      if (exact) continue;
      for (const auto& rule : rules_) {
        for (const auto& pattern : rule->spec.hosts()) {
          if (!pattern.starts_with("*") || !host_subset_of(host, pattern)) continue;
          if (pattern.size() > best) {
            best = pattern.size();
            wildcard_owner[host] = rule;
          }
        }
      }
    }
    std::vector<std::pair<VirtualServicePtr, std::vector<std::string>>> out;
    for (const auto& rule : rules_) {
      std::vector<std::string> hosts;
      for (const auto& host : rule->spec.hosts()) {
        bool covers_service =
            host.starts_with("*") && std::ranges::any_of(services_, [&](const auto& entry) {
              return host_subset_of(entry.first, host);
            });
        if (!covers_service) hosts.push_back(host);
      }
      for (const auto& [host, owner] : wildcard_owner) {
        if (owner == rule) hosts.push_back(host);
      }
      out.emplace_back(rule, std::move(hosts));
    }
    return out;
  }

  void of_rule(const VirtualServiceRule& rule, const std::vector<std::string>& hosts) {
    std::set<uint32_t> ports;
    for (const auto& host : hosts) {
      auto found = services_.find(host);
      if (found == services_.end()) continue;
      for (const auto& port : found->second->ports) {
        if (wanted(port)) ports.insert(port.number);
      }
    }
    // A rule for hosts that are no service's holds on the usual port of HTTP.
    constexpr uint32_t kHttpPort = 80;
    if (ports.empty() && (name_.port == kHttpPort || name_.port == 0)) ports.insert(kHttpPort);
    for (uint32_t port : ports) {
      std::vector<route_v3::Route> routes = make_routes(rule, {mesh_, proxy_, port, "mesh"});
      if (routes.empty()) continue;
      for (const auto& host : hosts) {
        auto found = services_.find(host);
        ServicePtr service = found == services_.end() ? nullptr : found->second;
        if (service && service->port(port) == nullptr) continue;
        add(host, port, service, routes);
      }
    }
  }

  void add(const std::string& host, uint32_t port, const ServicePtr& service,
           std::vector<route_v3::Route> routes) {
    std::string name = host_name(host, port);
    if (!done_.insert(name).second) return;  // an older rule speaks for it
    route_v3::VirtualHost out;
    out.set_name(name);
    std::vector<std::string> domains = {host};
    if (service && !service->has_wildcard_host()) {
      domains.push_back(host + ".");
      for (auto& alternative : short_names(host, proxy_)) {
        if (!services_.contains(alternative)) domains.push_back(std::move(alternative));
      }
      for (const auto& address : service->addresses) {
        if (address.find('/') != address.npos) continue;
        domains.push_back(address.find(':') == address.npos ? address : "[" + address + "]");
      }
    }
    for (const auto& domain : domains) {
      for (const auto& written : with_ports(domain, port, service)) {
        if (domains_.insert(written).second) out.add_domains(written);
      }
    }
    if (out.domains().empty()) return;
    for (auto& route : routes) *out.add_routes() = std::move(route);
    out.set_include_request_attempt_count(true);
    hosts_.push_back(std::move(out));
  }

  // Where one configuration serves many ports, the port is part of the name; without one it is 80,
  // or the service's only one.
  std::vector<std::string> with_ports(const std::string& domain, uint32_t port,
                                      const ServicePtr& service) const {
    if (name_.port != 0) return {domain};
    constexpr uint32_t kHttpPort = 80;
    std::vector<std::string> out = {fmt::format("{}:{}", domain, port)};
    if (domain == "*") return {domain};
    bool only = service && std::ranges::count_if(service->ports, carries_http) == 1;
    if (port == kHttpPort || only) out.push_back(domain);
    return out;
  }

  // What goes to no known service: on its way, or refused.
  void catch_all() {
    if (domains_.contains("*")) return;
    route_v3::VirtualHost out;
    // Without interception nothing says where the client meant to go.
    bool refuse = scope_->registry_only || proxy_.interception == Proxy::Interception::None;
    const char* name = refuse ? "block_all" : "allow_any";
    out.set_name(name);
    out.add_domains("*");
    out.set_include_request_attempt_count(true);
    auto* route = out.add_routes();
    route->set_name(name);
    route->mutable_match()->set_prefix("/");
    if (refuse) {
      constexpr uint32_t kBadGateway = 502;
      route->mutable_direct_response()->set_status(kBadGateway);
    } else {
      route->mutable_route()->set_cluster(std::string(kPassthroughCluster));
      *route->mutable_route()->mutable_timeout() = seconds(0);
      *route->mutable_route()->mutable_max_grpc_timeout() = seconds(0);
    }
    hosts_.push_back(std::move(out));
  }

  // The listener is the service's own, so whatever the Host, it is for the service.
  void only_named() {
    std::string wanted_name = host_name(name_.host, name_.port);
    std::erase_if(hosts_, [&](const auto& host) { return host.name() != wanted_name; });
    for (auto& host : hosts_) {
      host.clear_domains();
      host.add_domains("*");
    }
  }

  const Mesh& mesh_;
  const Proxy& proxy_;
  RouteName name_;
  std::shared_ptr<const ProxyScope> scope_;
  std::map<std::string, ServicePtr> services_;
  std::vector<VirtualServicePtr> rules_;
  std::set<std::string> done_, domains_;
  std::vector<route_v3::VirtualHost> hosts_;
};

}  // namespace

bool sidecar_virtual_hosts(const Mesh& mesh, const Proxy& proxy, std::string_view route_name,
                           std::vector<route_v3::VirtualHost>& out) {
  RouteName name;
  if (!parse_route_name(route_name, name)) return false;
  out = SidecarRoutes(mesh, proxy, name).make();
  return name.host.empty() || !out.empty();
}

}  // namespace sennit::mesh

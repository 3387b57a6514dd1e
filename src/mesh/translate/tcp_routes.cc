#include "mesh/translate/tcp_routes.h"

#include <envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "mesh/model/hostname.h"
#include "mesh/translate/access_log.h"
#include "mesh/translate/traffic_policy.h"

namespace sennit::mesh {

namespace {

using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using Routes = google::protobuf::RepeatedPtrField<api::RouteDestination>;

class ChainMaker {
 public:
  ChainMaker(const Mesh& mesh, const Proxy& proxy, Direction direction, std::string gateway)
      : mesh_(mesh), proxy_(proxy), direction_(direction), gateway_(std::move(gateway)) {}

  std::string cluster_of(const api::Destination& to, uint32_t listener_port) const {
    uint32_t port = listener_port;
    auto service = mesh_.service(to.host(), proxy_.namespace_);
    if (to.port().number() != 0) {
      port = to.port().number();
    } else if (service && service->ports.size() == 1) {
      port = service->ports[0].number;
    }
    return outbound_cluster(port, to.subset(), to.host());
  }

  FilterChain single(const std::string& cluster, const Service* service,
                     const ServicePort* port) const {
    FilterChain chain;
    add_network_stats(proxy_, direction_, chain);
    TcpProxy tcp;
    tcp.set_stat_prefix(cluster);
    tcp.set_cluster(cluster);
    if (service != nullptr && port != nullptr) bound(*service, *port, tcp);
    finish(tcp, chain);
    return chain;
  }

  FilterChain routed(const Routes& routes, uint32_t listener_port, const Resource& from) const {
    if (routes.size() == 1) {
      const auto& to = routes.Get(0).destination();
      auto service = mesh_.service(to.host(), proxy_.namespace_);
      const ServicePort* port = nullptr;
      OutboundName name;
      std::string cluster = cluster_of(to, listener_port);
      if (service && parse_outbound_cluster(cluster, name)) port = service->port(name.port);
      return single(cluster, service.get(), port);
    }
    FilterChain chain;
    add_network_stats(proxy_, direction_, chain);
    TcpProxy tcp;
    tcp.set_stat_prefix(from.name + "." + from.namespace_);
    for (const auto& route : routes) {
      if (route.weight() == 0) continue;
      auto* cluster = tcp.mutable_weighted_clusters()->add_clusters();
      cluster->set_name(cluster_of(route.destination(), listener_port));
      cluster->set_weight(static_cast<uint32_t>(route.weight()));
    }
    finish(tcp, chain);
    return chain;
  }

  template <typename Match>
  bool applies(const Match& match, uint32_t port) const {
    if (match.port() != 0 && match.port() != port) return false;
    bool for_gateway = match.gateways().empty() ||
                       std::ranges::find(match.gateways(), gateway_) != match.gateways().end();
    if (!for_gateway) return false;
    const auto& labels = match.source_labels();
    return selects({labels.begin(), labels.end()}, proxy_.labels) &&
           (match.source_namespace().empty() || match.source_namespace() == proxy_.namespace_);
  }

 private:
  void bound(const Service& service, const ServicePort& port, TcpProxy& tcp) const {
    auto rule = mesh_.destination_rule(service, proxy_.namespace_, proxy_.labels);
    api::TrafficPolicy policy = effective_policy(rule.get(), "", port.number);
    const auto& settings = policy.connection_pool().tcp();
    if (settings.has_idle_timeout()) *tcp.mutable_idle_timeout() = settings.idle_timeout();
  }

  void finish(TcpProxy& tcp, FilterChain& chain) const {
    add_access_log(mesh_, *tcp.mutable_access_log());
    auto* filter = chain.add_filters();
    filter->set_name("envoy.filters.network.tcp_proxy");
    *filter->mutable_typed_config() = pack(tcp);
  }

  const Mesh& mesh_;
  const Proxy& proxy_;
  Direction direction_;
  std::string gateway_;
};

void match_destinations(const std::vector<std::string>& blocks, FilterChain& chain) {
  for (const auto& block : blocks) {
    if (block.empty()) continue;
    auto* range = chain.mutable_filter_chain_match()->add_prefix_ranges();
    size_t slash = block.find('/');
    bool v6 = block.find(':') != block.npos;
    range->set_address_prefix(block.substr(0, slash));
    uint32_t length = v6 ? 128 : 32;
    if (slash != block.npos) length = static_cast<uint32_t>(std::stoul(block.substr(slash + 1)));
    range->mutable_prefix_len()->set_value(length);
  }
}

void match_server_names(const std::vector<std::string>& hosts, FilterChain& chain) {
  for (const auto& host : hosts) {
    if (host == "*") continue;
    chain.mutable_filter_chain_match()->add_server_names(host);
  }
}

// Two chains of one match are refused by proxies: the first stays.
void add_unique(FilterChain chain, std::vector<FilterChain>& chains) {
  std::string match = deterministic_bytes(chain.filter_chain_match());
  bool known = std::ranges::any_of(chains, [&](const FilterChain& other) {
    return deterministic_bytes(other.filter_chain_match()) == match;
  });
  if (!known) chains.push_back(std::move(chain));
}

bool names_host(const VirtualServiceRule& rule, const std::string& host) {
  return std::ranges::any_of(rule.spec.hosts(),
                             [&](const std::string& own) { return host_subset_of(host, own); });
}

std::vector<std::string> block_of(const TcpTarget& target) {
  if (target.destination_cidr.empty()) return {};
  return {target.destination_cidr};
}

}  // namespace

std::vector<FilterChain> sidecar_tcp_chains(const Mesh& mesh, const Proxy& proxy,
                                            const TcpTarget& target,
                                            const std::vector<VirtualServicePtr>& rules) {
  ChainMaker maker(mesh, proxy, Direction::Outbound, "mesh");
  std::vector<FilterChain> chains;
  uint32_t port = target.port.number;
  bool whole = false;  // a rule took everything
  for (const auto& rule : rules) {
    if (!names_host(*rule, target.service.hostname)) continue;
    if (is_tls(target.port.protocol)) {
      for (const auto& tls : rule->spec.tls()) {
        for (const auto& match : tls.match()) {
          if (!maker.applies(match, port)) continue;
          FilterChain chain = maker.routed(tls.route(), port, *rule->resource);
          const auto& subnets = match.destination_subnets();
          match_destinations(subnets.empty()
                                 ? block_of(target)
                                 : std::vector<std::string>(subnets.begin(), subnets.end()),
                             chain);
          match_server_names({match.sni_hosts().begin(), match.sni_hosts().end()}, chain);
          add_unique(std::move(chain), chains);
          whole = true;
        }
      }
      continue;
    }
    for (const auto& tcp : rule->spec.tcp()) {
      bool applies = tcp.match().empty(), everywhere = tcp.match().empty();
      std::vector<std::string> subnets;
      for (const auto& match : tcp.match()) {
        if (!maker.applies(match, port)) continue;
        applies = true;
        if (match.destination_subnets().empty()) everywhere = true;
        subnets.insert(subnets.end(), match.destination_subnets().begin(),
                       match.destination_subnets().end());
      }
      if (!applies || whole) continue;
      FilterChain chain = maker.routed(tcp.route(), port, *rule->resource);
      match_destinations(everywhere ? block_of(target) : subnets, chain);
      add_unique(std::move(chain), chains);
      whole = everywhere;
    }
  }
  if (!whole) {
    FilterChain chain = maker.single(outbound_cluster(port, "", target.service.hostname),
                                     &target.service, &target.port);
    match_destinations(block_of(target), chain);
    if (target.by_sni) match_server_names({target.service.hostname}, chain);
    add_unique(std::move(chain), chains);
  }
  return chains;
}

std::vector<FilterChain> gateway_tcp_chains(const Mesh& mesh, const Proxy& proxy,
                                            const GatewayRule& gateway, const api::Server& server) {
  std::string name = gateway.full_name();
  ChainMaker maker(mesh, proxy, Direction::Gateway, name);
  std::vector<FilterChain> chains;
  uint32_t port = server.port().number();
  bool passthrough = server.has_tls() && server.tls().mode() == api::ServerTLSSettings::PASSTHROUGH;
  for (const auto& rule : mesh.virtual_services_of_gateway(name, proxy.namespace_)) {
    std::vector<std::string> offered;
    for (std::string host : server.hosts()) {
      size_t slash = host.find('/');
      if (slash != host.npos) {
        std::string namespace_ = host.substr(0, slash);
        if (namespace_ == ".") namespace_ = gateway.resource->namespace_;
        if (namespace_ != "*" && namespace_ != rule->resource->namespace_) continue;
        host = host.substr(slash + 1);
      }
      offered.push_back(host);
    }
    auto hosts = intersect_hosts(offered, {rule->spec.hosts().begin(), rule->spec.hosts().end()});
    if (hosts.empty()) continue;
    if (passthrough) {
      for (const auto& tls : rule->spec.tls()) {
        for (const auto& match : tls.match()) {
          if (!maker.applies(match, port)) continue;
          FilterChain chain = maker.routed(tls.route(), port, *rule->resource);
          match_destinations(
              {match.destination_subnets().begin(), match.destination_subnets().end()}, chain);
          match_server_names({match.sni_hosts().begin(), match.sni_hosts().end()}, chain);
          add_unique(std::move(chain), chains);
        }
      }
      continue;
    }
    for (const auto& tcp : rule->spec.tcp()) {
      bool applies = tcp.match().empty();
      std::vector<std::string> subnets;
      for (const auto& match : tcp.match()) {
        if (!maker.applies(match, port)) continue;
        applies = true;
        subnets.insert(subnets.end(), match.destination_subnets().begin(),
                       match.destination_subnets().end());
      }
      if (!applies) continue;
      FilterChain chain = maker.routed(tcp.route(), port, *rule->resource);
      match_destinations(subnets, chain);
      add_unique(std::move(chain), chains);
    }
  }
  return chains;
}

}  // namespace sennit::mesh

// STRICT_DNS and LOGICAL_DNS: names to hosts, again and again.
#include <algorithm>

#include "base/log.h"
#include "proxy/upstream/cluster_manager_impl.h"

namespace sennit::proxy {
namespace {

constexpr uint32_t kMaxFailureDoublings = 16;  // by then any failure_max is reached

net::DnsFamily dns_family(DnsFamily family) {
  switch (family) {
    case DnsFamily::V4Only:
      return net::DnsFamily::V4Only;
    case DnsFamily::V6Only:
      return net::DnsFamily::V6Only;
    case DnsFamily::V4Preferred:
      return net::DnsFamily::V4Preferred;
    default:
      return net::DnsFamily::All;
  }
}

// Auto: IPv6 where there is any, as Envoy.
void prefer_ipv6(std::vector<net::Address>& addresses) {
  auto other = [](const net::Address& a) { return a.family() != AF_INET6; };
  if (!std::all_of(addresses.begin(), addresses.end(), other)) std::erase_if(addresses, other);
}

std::vector<net::Address> usable_addresses(const ClusterConfig& config,
                                           const std::vector<net::DnsAddress>& answer) {
  std::vector<net::Address> addresses;
  for (const auto& entry : answer) addresses.push_back(entry.ip);
  if (config.dns.family == DnsFamily::Auto) prefer_ipv6(addresses);
  if (config.discovery == ClusterConfig::Discovery::LogicalDns && addresses.size() > 1) {
    addresses.resize(1);
  }
  std::sort(addresses.begin(), addresses.end(),
            [](const auto& a, const auto& b) { return a.to_string() < b.to_string(); });
  return addresses;
}

net::Milliseconds refresh_after(const DnsConfig& config,
                                const std::vector<net::DnsAddress>& answer) {
  net::Milliseconds least = net::Milliseconds::max();
  for (const auto& entry : answer) {
    if (entry.ttl.count() > 0) least = std::min<net::Milliseconds>(least, entry.ttl);
  }
  return config.respect_ttl && least != net::Milliseconds::max() ? least : config.refresh_rate;
}

// Envoy's jittered exponential backoff.
net::Milliseconds refresh_after_failure(const DnsConfig& config, uint32_t failures,
                                        uint64_t random) {
  if (config.failure_base.count() == 0) return config.refresh_rate;
  const auto doubled = config.failure_base * (1 << std::min(failures - 1, kMaxFailureDoublings));
  const auto bound = std::min<net::Milliseconds>(doubled, config.failure_max);
  return net::Milliseconds(1 + static_cast<int64_t>(random % static_cast<uint64_t>(bound.count())));
}

std::shared_ptr<Host> copy_host(const Host& from, const net::Address& address) {
  auto host = std::make_shared<Host>();
  host->address = address;
  host->hostname = from.hostname;
  host->locality = from.locality;
  host->weight = from.weight.load();
  host->priority = from.priority.load();
  host->lb_metadata = from.lb_metadata;
  host->transport_socket_metadata = from.transport_socket_metadata;
  host->istio_workload = from.istio_workload;
  host->transport_socket_index = from.transport_socket_index;
  host->health_flags = from.health_flags.load();
  return host;
}

}  // namespace

net::DnsResolver& ClusterManager::Impl::resolver_for(const net::DnsOptions& options) {
  for (auto& [known, resolver] : resolvers) {
    if (known.query_timeout == options.query_timeout && known.tries == options.tries &&
        known.servers == options.servers && known.use_tcp == options.use_tcp &&
        known.no_search_domains == options.no_search_domains) {
      return *resolver;
    }
  }
  resolvers.emplace_back(options, std::make_unique<net::DnsResolver>(context.main_loop, options));
  return *resolvers.back().second;
}

void ClusterManager::Impl::resolve(const ClusterPtr& cluster, const std::string& name) {
  ResolvedName& entry = cluster->names[name];
  if (entry.query) return;  // two endpoints of one name
  context.main_shard.inc(cluster->stats().update_attempt);
  entry.query = resolver_for(cluster->config->dns.resolver)
                    .resolve(name, dns_family(cluster->config->dns.family),
                             [this, weak = std::weak_ptr(cluster), name](auto answer) {
                               if (auto locked = weak.lock()) on_resolved(locked, name, answer);
                             });
}

void ClusterManager::Impl::on_resolved(const ClusterPtr& cluster, const std::string& name,
                                       const Result<std::vector<net::DnsAddress>>& answer) {
  const DnsConfig& config = cluster->config->dns;
  ResolvedName& entry = cluster->names[name];
  entry.query.reset();
  net::Milliseconds next;
  if (answer) {
    context.main_shard.inc(cluster->stats().update_success);
    entry.failures = 0;
    next = refresh_after(config, *answer);
    std::vector<net::Address> addresses = usable_addresses(*cluster->config, *answer);
    if (!entry.known || entry.addresses != addresses) {
      entry.known = true;
      entry.addresses = std::move(addresses);
      apply_resolved(cluster);
    }
  } else {
    context.main_shard.inc(cluster->stats().update_failure);
    log::warn("upstream", "cluster {}: {}", cluster->name(), answer.error().message);
    next = refresh_after_failure(config, ++entry.failures, random());
    // Warm without hosts: a name that does not exist must not hold the others up.
    if (!cluster->warm) apply_resolved(cluster);
  }
  if (config.jitter.count() > 0) {
    next += net::Milliseconds(static_cast<int64_t>(random() % (config.jitter.count() + 1)));
  }
  if (!entry.refresh) {
    entry.refresh = std::make_unique<net::Timer>(context.main_loop,
                                                 [this, weak = std::weak_ptr(cluster), name] {
                                                   if (auto locked = weak.lock())
                                                     resolve(locked, name);
                                                 });
  }
  entry.refresh->enable(next);
}

void ClusterManager::Impl::apply_resolved(const ClusterPtr& cluster) {
  Endpoints concrete;
  concrete.locality_weights = cluster->endpoints.locality_weights;
  concrete.overprovisioning_percent = cluster->endpoints.overprovisioning_percent;
  for (const EndpointTemplate& endpoint : cluster->endpoints.endpoints) {
    if (endpoint.name.empty()) {
      concrete.endpoints.push_back(endpoint);
      continue;
    }
    for (const net::Address& ip : cluster->names[endpoint.name].addresses) {
      concrete.endpoints.push_back(
          {copy_host(*endpoint.host, ip.with_port(endpoint.port)), {}, endpoint.port});
    }
  }
  set_hosts(cluster, host_set(concrete));
}

}  // namespace sennit::proxy

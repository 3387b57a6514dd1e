// How a cluster finds its hosts: static, EDS, DNS, original destination.
#include <envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h>

#include "proxy/config/any.h"
#include "proxy/upstream/cluster_compile.h"
#include "proxy/upstream/supported_fields.h"

namespace sennit::proxy {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
using envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;

constexpr uint32_t kMaxDnsTries = 20;
constexpr uint64_t kMaxDnsTimeoutSeconds = 3600;

Status compile_resolver(const cluster_v3::Cluster& cluster, net::DnsOptions& to) {
  if (!cluster.has_typed_dns_resolver_config()) return {};
  const std::string path = "typed_dns_resolver_config.typed_config";
  auto from =
      unpack_any<CaresDnsResolverConfig>(cluster.typed_dns_resolver_config().typed_config());
  if (!from) return std::unexpected(from.error().within(path));
  // udp_max_queries: how soon a new UDP port is taken; c-ares' own choice does as well, and no
  // answer depends on it. Istio always sends it.
  SENNIT_RETURN_IF_ERROR(only_fields(*from, path,
                                     {"resolvers", "dns_resolver_options", "udp_max_queries",
                                      "query_timeout_seconds", "query_tries"}));
  for (int i = 0; i < from->resolvers_size(); ++i) {
    const auto& socket = from->resolvers(i).socket_address();
    auto server = net::Address::ip(socket.address(), static_cast<uint16_t>(socket.port_value()));
    if (!server)
      return std::unexpected(server.error().within(fmt::format("{}.resolvers[{}]", path, i)));
    to.servers.push_back(*server);
  }
  to.use_tcp = from->dns_resolver_options().use_tcp_for_dns_lookups();
  to.no_search_domains = from->dns_resolver_options().no_default_search_domain();
  if (from->has_query_timeout_seconds()) {
    const uint64_t seconds = from->query_timeout_seconds().value();
    if (seconds == 0 || seconds > kMaxDnsTimeoutSeconds) {
      return fail("{}.query_timeout_seconds: must be from 1 to {}", path, kMaxDnsTimeoutSeconds);
    }
    to.query_timeout = std::chrono::seconds(seconds);
  }
  if (from->has_query_tries()) {
    const uint32_t tries = from->query_tries().value();
    if (tries == 0 || tries > kMaxDnsTries) {
      return fail("{}.query_tries: must be from 1 to {}", path, kMaxDnsTries);
    }
    to.tries = static_cast<int>(tries);
  }
  return {};
}

Status compile_failure_refresh(const cluster_v3::Cluster& cluster, DnsConfig& to) {
  if (!cluster.has_dns_failure_refresh_rate()) return {};
  const auto& from = cluster.dns_failure_refresh_rate();
  auto base = positive_duration(from.base_interval(), "dns_failure_refresh_rate.base_interval");
  if (!base) return std::unexpected(base.error());
  to.failure_base = *base;
  to.failure_max = from.has_max_interval() ? duration(from.max_interval()) : *base * 10;
  if (to.failure_max < to.failure_base) {
    return fail("dns_failure_refresh_rate.max_interval: below base_interval");
  }
  return {};
}

}  // namespace

Status compile_discovery(const cluster_v3::Cluster& cluster, ClusterConfig& config) {
  using Discovery = ClusterConfig::Discovery;
  switch (cluster.type()) {
    case cluster_v3::Cluster::STATIC:
      config.discovery = Discovery::Static;
      break;
    case cluster_v3::Cluster::STRICT_DNS:
      config.discovery = Discovery::StrictDns;
      break;
    case cluster_v3::Cluster::LOGICAL_DNS:
      config.discovery = Discovery::LogicalDns;
      break;
    case cluster_v3::Cluster::EDS:
      config.discovery = Discovery::Eds;
      break;
    case cluster_v3::Cluster::ORIGINAL_DST:
      config.discovery = Discovery::OriginalDst;
      break;
    default:
      return fail("type: {} is not a discovery type", static_cast<int>(cluster.type()));
  }
  if (config.discovery == Discovery::Eds) {
    const auto& eds = cluster.eds_cluster_config();
    SENNIT_RETURN_IF_ERROR(only_fields(eds, "eds_cluster_config", {"eds_config", "service_name"}));
    if (!cluster.has_eds_cluster_config()) return fail("eds_cluster_config: required by type EDS");
    config.eds_name = eds.service_name().empty() ? cluster.name() : eds.service_name();
    if (eds.eds_config().has_initial_fetch_timeout()) {
      config.eds_initial_fetch_timeout = duration(eds.eds_config().initial_fetch_timeout());
    }
  }
  const bool dns =
      config.discovery == Discovery::StrictDns || config.discovery == Discovery::LogicalDns;
  if (cluster.has_load_assignment() &&
      (config.discovery == Discovery::Eds || config.discovery == Discovery::OriginalDst)) {
    return fail("load_assignment: does not go with type {}",
                cluster_v3::Cluster::DiscoveryType_Name(cluster.type()));
  }
  config.dns.family = static_cast<DnsFamily>(cluster.dns_lookup_family());
  if (cluster.has_dns_refresh_rate()) {
    auto rate = positive_duration(cluster.dns_refresh_rate(), "dns_refresh_rate");
    if (!rate) return std::unexpected(rate.error());
    config.dns.refresh_rate = *rate;
  }
  config.dns.jitter = duration(cluster.dns_jitter());
  SENNIT_RETURN_IF_ERROR(compile_failure_refresh(cluster, config.dns));
  config.dns.respect_ttl = cluster.respect_dns_ttl();
  SENNIT_RETURN_IF_ERROR(compile_resolver(cluster, config.dns.resolver));
  if (cluster.has_wait_for_warm_on_init() && !cluster.wait_for_warm_on_init().value()) {
    if (!dns) return fail("wait_for_warm_on_init: false goes with DNS types only");
    config.wait_for_warm_on_init = false;
  }
  if (cluster.has_cleanup_interval()) {
    if (config.discovery != Discovery::OriginalDst) {
      return fail("cleanup_interval: goes with type ORIGINAL_DST only");
    }
    auto interval = positive_duration(cluster.cleanup_interval(), "cleanup_interval");
    if (!interval) return std::unexpected(interval.error());
    config.original_dst.cleanup_interval = *interval;
  }
  if (dns && !cluster.has_load_assignment()) return fail("load_assignment: required by DNS types");
  return {};
}

}  // namespace sennit::proxy

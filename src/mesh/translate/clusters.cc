// Clusters: one per service port and subset, one per port that the proxy's own workload serves, and
// Istio's fixed ones.
#include <envoy/config/cluster/v3/cluster.pb.h>
#include <envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h>
#include <envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h>
#include <fmt/format.h>

#include <set>

#include "mesh/translate/endpoints.h"
#include "mesh/translate/inbound.h"
#include "mesh/translate/mtls.h"
#include "mesh/translate/telemetry_filters.h"
#include "mesh/translate/traffic_policy.h"

namespace sennit::mesh {

namespace {

using envoy::config::cluster::v3::Cluster;
constexpr int64_t kConnectTimeoutSeconds = 10;
constexpr int64_t kDnsRefreshSeconds = 60;
constexpr int32_t kDnsJitterNanoseconds = 100'000'000;
// Queries of one UDP socket before it is replaced: source ports do not run dry.
constexpr uint32_t kDnsQueriesPerSocket = 100;
// "Never" for the original-destination cleanup: addresses come and go with connections.
constexpr int64_t kNeverSeconds = 9223372035;
// Traffic from the sidecar to its application comes from here, so that it is told apart.
constexpr const char* kInboundSource = "127.0.0.6";

class ClusterMaker {
 public:
  ClusterMaker(const Mesh& mesh, const Proxy& proxy) : mesh_(mesh), proxy_(proxy) {}

  std::vector<XdsResource> all() {
    auto scope = mesh_.scope(proxy_);
    for (const auto& service : scope->services) {
      for (const auto& port : service->ports) {
        if (port.protocol != Protocol::Udp) outbound(service, port);
      }
    }
    if (proxy_.is_grpc) return std::move(out_);
    Cluster black_hole = fixed(kBlackHoleCluster, Cluster::STATIC);
    add(black_hole);
    if (proxy_.type == Proxy::Type::Router) return std::move(out_);
    add(passthrough(kPassthroughCluster));
    for (const auto& port : inbound_ports(mesh_, proxy_)) inbound(port);
    Cluster inbound_passthrough = passthrough(kInboundPassthroughCluster);
    inbound_passthrough.clear_filters();
    bind_source(inbound_passthrough);
    add(inbound_passthrough);
    return std::move(out_);
  }

 private:
  void add(Cluster cluster) {
    // Proxyless gRPC knows round robin and ring hash (gRFC A28, A42) and refuses the others.
    const auto policy = cluster.lb_policy();
    if (proxy_.is_grpc && (policy == Cluster::LEAST_REQUEST || policy == Cluster::RANDOM)) {
      cluster.set_lb_policy(Cluster::ROUND_ROBIN);
    }
    if (seen_.insert(cluster.name()).second) out_.push_back(make_resource(cluster.name(), cluster));
  }

  Cluster fixed(std::string_view name, Cluster::DiscoveryType type) const {
    Cluster cluster;
    cluster.set_name(std::string(name));
    cluster.set_alt_stat_name(cluster.name() + ";");
    cluster.set_type(type);
    *cluster.mutable_connect_timeout() = mesh_.config().has_connect_timeout()
                                             ? mesh_.config().connect_timeout()
                                             : seconds(kConnectTimeoutSeconds);
    return cluster;
  }

  static void bind_source(Cluster& cluster) {
    auto* source = cluster.mutable_upstream_bind_config()->mutable_source_address();
    source->set_address(kInboundSource);
    source->set_port_value(0);
  }

  Cluster passthrough(std::string_view name) const {
    Cluster cluster = fixed(name, Cluster::ORIGINAL_DST);
    cluster.set_alt_stat_name("PassthroughCluster;");
    cluster.set_lb_policy(Cluster::CLUSTER_PROVIDED);
    unlimited_thresholds(cluster);
    envoy::extensions::upstreams::http::v3::HttpProtocolOptions options;
    constexpr int64_t kIdleSeconds = 300;
    *options.mutable_common_http_protocol_options()->mutable_idle_timeout() = seconds(kIdleSeconds);
    options.mutable_use_downstream_protocol_config()->mutable_http_protocol_options();
    options.mutable_use_downstream_protocol_config()->mutable_http2_protocol_options();
    (*cluster.mutable_typed_extension_protocol_options())
        ["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"] = pack(options);
    add_cluster_metadata_exchange(proxy_, cluster);
    return cluster;
  }

  void outbound(const ServicePtr& service, const ServicePort& port) {
    auto rule = mesh_.destination_rule(*service, proxy_.namespace_, proxy_.labels);
    outbound_one(*service, port, rule.get(), "");
    if (!rule) return;
    for (const auto& subset : rule->spec.subsets()) {
      outbound_one(*service, port, rule.get(), subset.name());
    }
  }

  void outbound_one(const Service& service, const ServicePort& port,
                    const DestinationRuleEntry* rule, const std::string& subset) {
    Cluster cluster = fixed(outbound_cluster(port.number, subset, service.hostname), Cluster::EDS);
    api::TrafficPolicy policy = effective_policy(rule, subset, port.number);
    if (!resolve(service, port, rule, subset, policy, cluster)) return;
    cluster.mutable_common_lb_config()->mutable_healthy_panic_threshold();
    apply_connection_pool(mesh_, policy.connection_pool(), cluster);
    if (policy.has_outlier_detection()) {
      apply_outlier_detection(policy.outlier_detection(), cluster);
    }
    UpstreamHttp http = upstream_http(mesh_, port, policy, false);
    add_cluster_metadata_exchange(proxy_, cluster);
    describe(service, rule, subset, cluster);
    secure(service, port, policy, http, subset, cluster);
    auto mode = policy.tls().mode();
    bool originates = policy.has_tls() && (mode == api::ClientTLSSettings::SIMPLE ||
                                           mode == api::ClientTLSSettings::MUTUAL);
    bool auto_sni = originates && policy.tls().sni().empty();
    bool auto_san = auto_sni && policy.tls().subject_alt_names().empty() &&
                    service.subject_alt_names.empty() && !policy.tls().insecure_skip_verify();
    apply_http_options(http, policy, auto_sni, auto_san, cluster);
    add(cluster);
  }

  // Where endpoints come from. False: there is no such cluster (DNS without any endpoint).
  bool resolve(const Service& service, const ServicePort& port, const DestinationRuleEntry* rule,
               const std::string& subset, const api::TrafficPolicy& policy, Cluster& cluster) {
    if (service.resolution == Resolution::None) {
      cluster.set_type(Cluster::ORIGINAL_DST);
    } else if (service.resolution == Resolution::Static) {
      auto* eds = cluster.mutable_eds_cluster_config();
      *eds->mutable_eds_config() = ads_source();
      eds->set_service_name(cluster.name());
    } else {
      cluster.set_type(service.resolution == Resolution::Dns ? Cluster::STRICT_DNS
                                                             : Cluster::LOGICAL_DNS);
      *cluster.mutable_load_assignment() =
          make_load_assignment(mesh_, proxy_, service, port, rule, subset, policy);
      if (cluster.load_assignment().endpoints().empty()) return false;
      dns(cluster);
    }
    apply_load_balancer(mesh_, policy.load_balancer(), cluster);
    return true;
  }

  void dns(Cluster& cluster) const {
    cluster.set_dns_lookup_family(Cluster::V4_ONLY);
    *cluster.mutable_dns_refresh_rate() = mesh_.config().has_dns_refresh_rate()
                                              ? mesh_.config().dns_refresh_rate()
                                              : seconds(kDnsRefreshSeconds);
    cluster.mutable_dns_jitter()->set_nanos(kDnsJitterNanoseconds);
    cluster.set_respect_dns_ttl(true);
    envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig cares;
    cares.mutable_udp_max_queries()->set_value(kDnsQueriesPerSocket);
    auto* resolver = cluster.mutable_typed_dns_resolver_config();
    resolver->set_name("envoy.network.dns_resolver.cares");
    *resolver->mutable_typed_config() = pack(cares);
  }

  void describe(const Service& service, const DestinationRuleEntry* rule, const std::string& subset,
                Cluster& cluster) const {
    auto& metadata = *cluster.mutable_metadata();
    if (rule != nullptr) set_istio_config(metadata, *rule->resource);
    auto& fields = *(*metadata.mutable_filter_metadata())["istio"].mutable_fields();
    if (service.external) fields["external"] = bool_value(true);
    if (!subset.empty()) fields["subset"] = string_value(subset);
    add_service(service, fields);
  }

  static void add_service(const Service& service,
                          google::protobuf::Map<std::string, google::protobuf::Value>& fields) {
    auto& entry = *fields["services"].mutable_list_value()->add_values()->mutable_struct_value();
    (*entry.mutable_fields())["host"] = string_value(service.hostname);
    (*entry.mutable_fields())["name"] = string_value(service.name);
    (*entry.mutable_fields())["namespace"] = string_value(service.namespace_);
  }

  std::vector<std::string> identities(const Service& service) const {
    if (!service.subject_alt_names.empty()) return service.subject_alt_names;
    std::set<std::string> out;
    for (const auto& workload : *mesh_.workloads(service)) {
      if (workload->service_account.empty()) continue;
      out.insert(fmt::format("spiffe://{}/ns/{}/sa/{}", mesh_.trust_domain(), workload->namespace_,
                             workload->service_account));
      for (const auto& alias : mesh_.config().trust_domain_aliases()) {
        out.insert(fmt::format("spiffe://{}/ns/{}/sa/{}", alias, workload->namespace_,
                               workload->service_account));
      }
    }
    return {out.begin(), out.end()};
  }

  void secure(const Service& service, const ServicePort& port, const api::TrafficPolicy& policy,
              UpstreamHttp http, const std::string& subset, Cluster& cluster) const {
    using Tls = api::ClientTLSSettings;
    bool http2 = http == UpstreamHttp::Http2;
    std::string sni = fmt::format("outbound_.{}_.{}_.{}", port.number, subset, service.hostname);
    if (!policy.has_tls()) {
      bool enabled = !mesh_.config().has_enable_auto_mtls() || mesh_.config().enable_auto_mtls();
      if (!enabled || service.external ||
          mesh_.mutual_tls(service.namespace_, {}, 0) == MutualTls::Disable) {
        return;
      }
      auto* mutual = cluster.add_transport_socket_matches();
      mutual->set_name("tlsMode-istio");
      (*mutual->mutable_match()->mutable_fields())["tlsMode"] = string_value("istio");
      *mutual->mutable_transport_socket() = istio_mutual_client(identities(service), sni, http2);
      auto* plain = cluster.add_transport_socket_matches();
      plain->set_name("tlsMode-disabled");
      plain->mutable_match();
      *plain->mutable_transport_socket() = raw_buffer();
      return;
    }
    switch (policy.tls().mode()) {
      case Tls::ISTIO_MUTUAL: {
        const auto& given = policy.tls().subject_alt_names();
        std::vector<std::string> names(given.begin(), given.end());
        if (names.empty()) names = identities(service);
        *cluster.mutable_transport_socket() = istio_mutual_client(
            names, policy.tls().sni().empty() ? sni : policy.tls().sni(), http2);
        return;
      }
      case Tls::SIMPLE:
      case Tls::MUTUAL: {
        *cluster.mutable_transport_socket() = originated_tls(
            policy.tls(), service.subject_alt_names, http2, http == UpstreamHttp::FollowsClient);
        if (is_http(port.protocol)) {
          auto& fields =
              *(*cluster.mutable_metadata()->mutable_filter_metadata())["istio"].mutable_fields();
          fields["alpn_override"] = string_value("false");
        }
        return;
      }
      default:
        return;
    }
  }

  void inbound(const InboundPort& port) {
    Cluster cluster = fixed(inbound_cluster(port.workload_port), Cluster::ORIGINAL_DST);
    DestinationRulePtr rule;
    if (port.service) {
      rule = mesh_.destination_rule(*port.service, proxy_.namespace_, proxy_.labels);
    }
    api::TrafficPolicy policy = effective_policy(rule.get(), "", port.port.number);
    cluster.mutable_common_lb_config();
    apply_connection_pool(mesh_, policy.connection_pool(), cluster);
    if (!port.local_address.empty()) {
      cluster.set_type(Cluster::STATIC);
      auto* assignment = cluster.mutable_load_assignment();
      assignment->set_cluster_name(cluster.name());
      *assignment->add_endpoints()->add_lb_endpoints()->mutable_endpoint()->mutable_address() =
          socket_address(port.local_address, port.local_port);
      cluster.set_lb_policy(Cluster::ROUND_ROBIN);
    } else {
      cluster.set_lb_policy(Cluster::CLUSTER_PROVIDED);
      *cluster.mutable_cleanup_interval() = seconds(kNeverSeconds);
      bind_source(cluster);
    }
    if (rule) set_istio_config(*cluster.mutable_metadata(), *rule->resource);
    auto& fields =
        *(*cluster.mutable_metadata()->mutable_filter_metadata())["istio"].mutable_fields();
    for (const auto& service : port.services) add_service(*service, fields);
    apply_http_options(upstream_http(mesh_, port.port, policy, true), policy, false, false,
                       cluster);
    add(cluster);
  }

  const Mesh& mesh_;
  const Proxy& proxy_;
  std::vector<XdsResource> out_;
  std::set<std::string> seen_;
};

}  // namespace

std::vector<XdsResource> translate_clusters(const Mesh& mesh, const Proxy& proxy) {
  return ClusterMaker(mesh, proxy).all();
}

}  // namespace sennit::mesh

// What clusters are accepted, and how those that are not are refused.
#include "proxy/upstream/cluster_config.h"

#include "proxy/upstream/test_upstream.h"

namespace sennit::proxy {
namespace {

class ClusterConfigTest : public UpstreamTest {
 protected:
  std::shared_ptr<const ClusterConfig> compile(const std::string& yaml) {
    auto config =
        compile_cluster(parse<envoy::config::cluster::v3::Cluster>(yaml), registry_, secrets_);
    EXPECT_TRUE(config) << config.error().message;
    return config ? *config : nullptr;
  }
};

constexpr const char* kSds =
    "sds_config: {api_config_source: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: "
    "sds-grpc}}], set_node_on_first_message_only: true, transport_api_version: V3}, "
    "initial_fetch_timeout: 0s, resource_api_version: V3}";

// The kinds of clusters that Istio's control plane sends a sidecar.
TEST_F(ClusterConfigTest, AnOutboundServiceOfAMesh) {
  auto config = compile(fmt::format(R"(
name: outbound|8080|v1|carts.shop.svc.cluster.local
alt_stat_name: "outbound|8080|v1|carts.shop.svc.cluster.local;"
type: EDS
eds_cluster_config:
  service_name: outbound|8080|v1|carts.shop.svc.cluster.local
  eds_config: {{ads: {{}}, initial_fetch_timeout: 0s, resource_api_version: V3}}
connect_timeout: 10s
lb_policy: LEAST_REQUEST
common_lb_config: {{healthy_panic_threshold: {{}}, locality_weighted_lb_config: {{}}}}
circuit_breakers:
  thresholds:
  - {{max_connections: 120, max_pending_requests: 60, max_requests: 800, max_retries: 4294967295}}
outlier_detection: {{consecutive_5xx: 4, enforcing_consecutive_5xx: 100, interval: 15s,
  base_ejection_time: 45s, max_ejection_percent: 60, enforcing_success_rate: 0}}
metadata:
  filter_metadata:
    istio:
      config: /apis/networking.istio.io/v1/namespaces/shop/destination-rule/carts
      subset: v1
      services: [{{host: carts.shop.svc.cluster.local, name: carts, namespace: shop}}]
filters:
- name: istio.metadata_exchange
  typed_config:
    "@type": type.googleapis.com/udpa.type.v1.TypedStruct
    type_url: type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange
    value: {{protocol: istio-peer-exchange, enable_discovery: true}}
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    common_http_protocol_options: {{idle_timeout: 90s, max_requests_per_connection: 20}}
    use_downstream_protocol_config: {{http_protocol_options: {{}}, http2_protocol_options: {{}}}}
upstream_connection_options: {{tcp_keepalive: {{keepalive_time: 300, keepalive_interval: 30}}}}
transport_socket_matches:
- name: tlsMode-istio
  match: {{tlsMode: istio}}
  transport_socket:
    name: envoy.transport_sockets.tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      sni: outbound_.8080_.v1_.carts.shop.svc.cluster.local
      common_tls_context:
        alpn_protocols: [istio-peer-exchange, istio]
        tls_params: {{tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3}}
        tls_certificate_sds_secret_configs: [{{name: default, {0}}}]
        combined_validation_context:
          default_validation_context:
            match_subject_alt_names: [{{exact: spiffe://cluster.local/ns/shop/sa/carts}}]
          validation_context_sds_secret_config: {{name: ROOTCA, {0}}}
- name: tlsMode-disabled
  match: {{}}
  transport_socket:
    name: envoy.transport_sockets.raw_buffer
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer
)",
                                    kSds));
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(config->info->stat_name, "outbound|8080|v1|carts.shop.svc.cluster.local;");
  EXPECT_EQ(config->info->breakers[0].max_pending_requests, 60u);
  EXPECT_EQ(config->info->max_requests_per_connection, 20u);
  EXPECT_EQ(config->info->http_version, ClusterInfo::HttpVersion::Downstream);
  EXPECT_EQ(config->info->metadata_exchange_alpn, "istio-peer-exchange");
  EXPECT_EQ(config->info->istio_service_name, "carts");
  EXPECT_EQ(config->outlier->base_ejection_time.count(), 45000);
  EXPECT_EQ(config->lb.panic_threshold, 0);
  EXPECT_EQ(config->eds_initial_fetch_timeout.count(), 0);
  EXPECT_EQ(config->transport_for({{"tlsMode", "istio"}}), 0u);
  EXPECT_EQ(config->transport_for({}), 1u);
}

TEST_F(ClusterConfigTest, AnInboundPort) {
  auto config = compile(R"(
name: inbound|8080||
type: ORIGINAL_DST
lb_policy: CLUSTER_PROVIDED
cleanup_interval: 9223372035s
common_lb_config: {}
upstream_bind_config: {source_address: {address: 127.0.0.6, port_value: 0}}
)");
  ASSERT_NE(config, nullptr);
  EXPECT_TRUE(config->info->is_original_dst);
  EXPECT_EQ(config->connect.source.ip_string(), "127.0.0.6");
  EXPECT_GT(config->original_dst.cleanup_interval, std::chrono::hours(24 * 365));
}

TEST_F(ClusterConfigTest, AnExternalName) {
  auto config = compile(R"(
name: outbound|443||api.example
type: STRICT_DNS
dns_lookup_family: V4_ONLY
dns_refresh_rate: 60s
dns_jitter: 0.1s
respect_dns_ttl: true
dns_failure_refresh_rate: {base_interval: 1s, max_interval: 5s}
typed_dns_resolver_config:
  name: envoy.network.dns_resolver.cares
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig
    udp_max_queries: 100
    query_tries: 2
    query_timeout_seconds: 3
    resolvers: [{socket_address: {address: 10.0.0.53, port_value: 53}}]
    dns_resolver_options: {use_tcp_for_dns_lookups: true, no_default_search_domain: true}
load_assignment:
  cluster_name: outbound|443||api.example
  endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: api.example,
    port_value: 443}}}, load_balancing_weight: 1}], load_balancing_weight: 1}]
metadata: {filter_metadata: {istio: {external: true, alpn_override: "false"}}}
)");
  ASSERT_NE(config, nullptr);
  EXPECT_TRUE(config->info->istio_external);
  EXPECT_FALSE(config->info->istio_alpn_override);
  EXPECT_EQ(config->dns.jitter.count(), 100);
  EXPECT_EQ(config->dns.failure_max.count(), 5000);
  EXPECT_EQ(config->dns.resolver.tries, 2);
  EXPECT_EQ(config->dns.resolver.query_timeout.count(), 3000);
  ASSERT_EQ(config->dns.resolver.servers.size(), 1u);
  EXPECT_EQ(config->dns.resolver.servers[0].to_string(), "10.0.0.53:53");
  EXPECT_TRUE(config->dns.resolver.use_tcp && config->dns.resolver.no_search_domains);
}

TEST_F(ClusterConfigTest, HeaderCaseAndTrailersAreKeptOnlyWhereAsked) {
  auto plain = compile("name: c\ntype: STATIC");
  EXPECT_FALSE(plain->info->http1_options.preserve_header_case);
  EXPECT_FALSE(plain->info->http1_options.enable_trailers);
  auto asked = compile(R"(
name: c
type: STATIC
http_protocol_options:
  enable_trailers: true
  header_key_format:
    stateful_formatter:
      name: preserve_case
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig
)");
  EXPECT_TRUE(asked->info->http1_options.preserve_header_case);
  EXPECT_TRUE(asked->info->http1_options.enable_trailers);
}

TEST_F(ClusterConfigTest, WhatIsNotCarriedOutIsRefusedByItsPath) {
  const std::string kStatic = "name: c\ntype: STATIC\n";
  const std::pair<std::string, std::string> cases[] = {
      {"health_checks: [{}]", "health_checks: not supported"},
      {"cleanup_interval: 1s", "cleanup_interval: goes with type ORIGINAL_DST only"},
      {"wait_for_warm_on_init: false", "wait_for_warm_on_init: false goes with DNS types only"},
      {"outlier_detection: {successful_active_health_check_uneject_host: false}",
       "outlier_detection.successful_active_health_check_uneject_host: not supported"},
      {"lb_policy: RING_HASH\nring_hash_lb_config: {hash_function: MURMUR_HASH_2}",
       "ring_hash_lb_config.hash_function: not supported"},
      {"http_protocol_options: {header_key_format: {proper_case_words: {}}}",
       "http_protocol_options.header_key_format.proper_case_words: not supported"},
      {"http_protocol_options: {accept_http_10: true}",
       "http_protocol_options.accept_http_10: not supported"},
      {"http2_protocol_options: {initial_stream_window_size: 1}",
       "http2_protocol_options.initial_stream_window_size: must be from 65535 to 2147483647"},
      {"circuit_breakers: {thresholds: [{}, {max_connection_pools: 1}]}",
       "circuit_breakers.thresholds[1].max_connection_pools: not supported"},
      {"common_lb_config: {ignore_new_hosts_until_first_hc: true}",
       "common_lb_config.ignore_new_hosts_until_first_hc: not supported"},
      {R"(typed_dns_resolver_config:
  name: envoy.network.dns_resolver.cares
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig
    rotate_nameservers: true)",
       "typed_dns_resolver_config.typed_config.rotate_nameservers: not supported"},
      {"filters: [{name: f, typed_config: {\"@type\": "
       "type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange, "
       "additional_labels: [a]}}]",
       "filters[0].typed_config.additional_labels: not supported"},
      {"connect_timeout: 0s", "connect_timeout: must be at least a millisecond"},
      {"lb_policy: CLUSTER_PROVIDED",
       "lb_policy: CLUSTER_PROVIDED goes with type ORIGINAL_DST, and only with it"},
  };
  for (const auto& [yaml, why] : cases) {
    EXPECT_EQ(refusal(kStatic + yaml), "cluster c: " + why) << yaml;
  }
}

}  // namespace
}  // namespace sennit::proxy

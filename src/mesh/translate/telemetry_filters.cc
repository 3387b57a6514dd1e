#include "mesh/translate/telemetry_filters.h"

#include <istio/alpn.pb.h>
#include <istio/stats.pb.h>

namespace sennit::mesh {

namespace {

google::protobuf::Any exchange_config() {
  google::protobuf::Struct value;
  (*value.mutable_fields())["enable_discovery"] = bool_value(true);
  (*value.mutable_fields())["protocol"] = string_value("istio-peer-exchange");
  return pack_typed_struct("envoy.tcp.metadataexchange.config.MetadataExchange", std::move(value));
}

google::protobuf::Any stats_config(Direction direction) {
  stats::PluginConfig config;
  // A server and a gateway are asked for by names that are not theirs to believe.
  if (direction != Direction::Outbound) config.set_disable_host_header_fallback(true);
  return pack(config);
}

void add_method(google::protobuf::Struct& config, const std::string& list, const char* method) {
  auto* entry = (*config.mutable_fields())[list].mutable_list_value()->add_values();
  (*entry->mutable_struct_value()->mutable_fields())[method].mutable_struct_value();
}

}  // namespace

void add_cluster_metadata_exchange(const Proxy& proxy,
                                   envoy::config::cluster::v3::Cluster& cluster) {
  if (!proxy.knows_metadata_exchange) return;
  auto* filter = cluster.add_filters();
  filter->set_name("istio.metadata_exchange");
  *filter->mutable_typed_config() = exchange_config();
}

void add_peer_metadata(const Proxy& proxy, Direction direction, HttpManager& manager) {
  if (!proxy.knows_peer_metadata) return;
  google::protobuf::Struct config;
  std::string side = direction == Direction::Inbound ? "downstream" : "upstream";
  add_method(config, side + "_discovery", "istio_headers");
  add_method(config, side + "_discovery", "workload_discovery");
  add_method(config, side + "_propagation", "istio_headers");
  auto* filter = manager.add_http_filters();
  filter->set_name("istio.metadata_exchange");
  *filter->mutable_typed_config() =
      pack_typed_struct("io.istio.http.peer_metadata.Config", std::move(config));
}

void add_alpn(const Proxy& proxy, HttpManager& manager) {
  if (!proxy.knows_istio_alpn) return;
  using Config = ::istio::envoy::config::filter::http::alpn::v2alpha1::FilterConfig;
  Config config;
  auto add = [&](auto protocol, std::initializer_list<const char*> offers) {
    auto* entry = config.add_alpn_override();
    entry->set_upstream_protocol(protocol);
    for (const char* offer : offers) entry->add_alpn_override(offer);
  };
  add(Config::HTTP10, {"istio-http/1.0", "istio", "http/1.0"});
  add(Config::HTTP11, {"istio-http/1.1", "istio", "http/1.1"});
  add(Config::HTTP2, {"istio-h2", "istio", "h2"});
  auto* filter = manager.add_http_filters();
  filter->set_name("istio.alpn");
  *filter->mutable_typed_config() = pack(config);
}

void add_http_stats(const Proxy& proxy, Direction direction, HttpManager& manager) {
  if (!proxy.knows_istio_stats) return;
  auto* filter = manager.add_http_filters();
  filter->set_name("istio.stats");
  *filter->mutable_typed_config() = stats_config(direction);
}

void add_network_exchange(const Proxy& proxy, envoy::config::listener::v3::FilterChain& chain) {
  if (!proxy.knows_metadata_exchange) return;
  auto* filter = chain.add_filters();
  filter->set_name("istio.metadata_exchange");
  *filter->mutable_typed_config() = exchange_config();
}

void add_network_stats(const Proxy& proxy, Direction direction,
                       envoy::config::listener::v3::FilterChain& chain) {
  if (!proxy.knows_istio_stats) return;
  auto* filter = chain.add_filters();
  filter->set_name("istio.stats");
  *filter->mutable_typed_config() = stats_config(direction);
}

}  // namespace sennit::mesh

#include "proxy/server/discovery.h"

#include "proxy/xds/type_urls.h"

namespace sennit::proxy {
namespace {

using envoy::config::core::v3::ApiConfigSource;

// Envoy's initial_fetch_timeout where none is given.
constexpr std::chrono::milliseconds kFetchTimeout{15'000};

bool is_delta(const ApiConfigSource& api) {
  return api.api_type() == ApiConfigSource::DELTA_GRPC ||
         api.api_type() == ApiConfigSource::AGGREGATED_DELTA_GRPC;
}

std::chrono::milliseconds fetch_timeout(const envoy::config::core::v3::ConfigSource& source) {
  if (!source.has_initial_fetch_timeout()) return kFetchTimeout;
  const auto& timeout = source.initial_fetch_timeout();
  return std::chrono::milliseconds(timeout.seconds() * 1000 + timeout.nanos() / 1'000'000);
}

envoy::config::core::v3::ConfigSource ads_source() {
  envoy::config::core::v3::ConfigSource source;
  source.mutable_ads();
  return source;
}

}  // namespace

struct Discovery::Service {
  const char* type_url;
  const char* path;  // up to the method's name
  const char* plural;
  const char* stats_prefix;
};

namespace {

constexpr char kAds[] = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";

std::string method(const std::string& path, const std::string& plural, bool delta) {
  return path + (delta ? "Delta" : "Stream") + plural;
}

}  // namespace

#define SENNIT_SERVICE(type, package, name, plural, stats) \
  { type, "/envoy.service." package ".v3." name "DiscoveryService/", plural, stats }

Discovery::Discovery(net::EventLoop& loop, DiscoveryTransport& transport,
                     const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                     const envoy::config::core::v3::Node& node, stats::Registry& registry,
                     stats::Shard& shard, DiscoveryConsumers consumers)
    : loop_(loop),
      transport_(transport),
      node_(node),
      dynamic_(bootstrap.dynamic_resources()),
      registry_(registry),
      shard_(shard),
      consumers_(std::move(consumers)) {
  if (dynamic_.has_ads_config()) {
    endpoints_source_ = routes_source_ = ads_source();
    const auto& api = dynamic_.ads_config();
    ads_ = std::make_unique<DiscoveryStream>(
        loop_, transport_,
        DiscoveryStreamOptions{api.grpc_services(0).envoy_grpc().cluster_name(), is_delta(api),
                               method(kAds, "AggregatedResources", is_delta(api)), node_,
                               api.set_node_on_first_message_only()},
        registry_, shard_);
    return;
  }
  endpoints_source_ = dynamic_.cds_config();
  routes_source_ = dynamic_.lds_config();
  for (const auto& cluster : bootstrap.static_resources().clusters()) {
    if (!dynamic_.has_cds_config() && cluster.has_eds_cluster_config()) {
      endpoints_source_ = cluster.eds_cluster_config().eds_config();
    }
  }
}

std::chrono::milliseconds Discovery::clusters_timeout() const {
  return fetch_timeout(dynamic_.cds_config());
}
std::chrono::milliseconds Discovery::listeners_timeout() const {
  return fetch_timeout(dynamic_.lds_config());
}

DiscoveryStream& Discovery::stream(const ConfigSource& source, const Service& service) {
  if (source.has_ads() && ads_) return *ads_;
  const auto& api = source.api_config_source();
  DiscoveryStreamOptions options;
  if (api.grpc_services_size() > 0) {
    options.cluster = api.grpc_services(0).envoy_grpc().cluster_name();
  }
  options.delta = is_delta(api);
  options.method = method(service.path, service.plural, options.delta);
  options.node = node_;
  options.set_node_on_first_message_only = api.set_node_on_first_message_only();
  return *streams_.emplace_back(
      std::make_unique<DiscoveryStream>(loop_, transport_, options, registry_, shard_));
}

void Discovery::start_clusters() {
  if (ads_) ads_->start();
  if (!has_clusters()) return;
  static constexpr Service kService =
      SENNIT_SERVICE(kClusterType, "cluster", "Cluster", "Clusters", "cluster_manager.cds.");
  auto& from = stream(dynamic_.cds_config(), kService);
  from.add(kClusterType, true, consumers_.clusters, kService.stats_prefix);
  if (&from != ads_.get()) from.start();
}

void Discovery::start_listeners() {
  if (!has_listeners()) return;
  static constexpr Service kService =
      SENNIT_SERVICE(kListenerType, "listener", "Listener", "Listeners", "listener_manager.lds.");
  auto& from = stream(dynamic_.lds_config(), kService);
  from.add(kListenerType, true, consumers_.listeners, kService.stats_prefix);
  if (&from != ads_.get()) from.start();
}

void Discovery::ask(Asked& asked, const ConfigSource& source, const Service& service,
                    const std::vector<std::string>& names, const ResourceConsumer& consumer) {
  if (!asked.stream) {
    if (names.empty()) return;
    asked.stream = &stream(source, service);
    asked.subscription =
        &asked.stream->add(service.type_url, false, consumer, service.stats_prefix);
    if (asked.stream != ads_.get()) asked.stream->start();
  }
  asked.stream->set_names(*asked.subscription, names);
}

void Discovery::set_endpoint_names(const std::vector<std::string>& names) {
  static constexpr Service kService =
      SENNIT_SERVICE(kEndpointType, "endpoint", "Endpoint", "Endpoints", "cluster_manager.eds.");
  ask(endpoints_, endpoints_source_, kService, names, consumers_.endpoints);
}

void Discovery::set_route_names(const std::vector<std::string>& names) {
  static constexpr Service kService =
      SENNIT_SERVICE(kRouteType, "route", "Route", "Routes", "listener_manager.rds.");
  ask(routes_, routes_source_, kService, names, consumers_.routes);
}

// Without ADS each secret has a stream of its own, as in Envoy: SDS servers expect so.
void Discovery::add_secret(const std::string& name, const ConfigSource& source) {
  static constexpr Service kService =
      SENNIT_SERVICE(kSecretType, "secret", "Secret", "Secrets", "secret_manager.sds.");
  if (source.has_ads() && ads_) {
    ads_secret_names_.push_back(name);
    return ask(ads_secrets_, source, kService, ads_secret_names_, consumers_.secrets);
  }
  Asked own;
  ask(own, source, kService, {name}, consumers_.secrets);
}

void Discovery::retry_now() {
  if (ads_) ads_->retry_now();
  for (auto& stream : streams_) stream->retry_now();
}

#undef SENNIT_SERVICE

}  // namespace sennit::proxy

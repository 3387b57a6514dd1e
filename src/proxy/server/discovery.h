// Which discovery streams there are: ADS, and those that a ConfigSource names for itself (its own
// gRPC cluster). Every type is asked for where the bootstrap says; endpoints and routes come from
// where clusters and listeners come from. Main thread.
#pragma once

#include <envoy/config/bootstrap/v3/bootstrap.pb.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/xds/discovery_stream.h"
#include "proxy/xds/transport.h"

namespace sennit::proxy {

struct DiscoveryConsumers {
  ResourceConsumer clusters, endpoints, listeners, routes, secrets;
};

class Discovery {
 public:
  Discovery(net::EventLoop& loop, DiscoveryTransport& transport,
            const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
            const envoy::config::core::v3::Node& node, stats::Registry& registry,
            stats::Shard& shard, DiscoveryConsumers consumers);

  bool has_clusters() const { return dynamic_.has_cds_config(); }
  bool has_listeners() const { return dynamic_.has_lds_config(); }
  // How long the first answer is waited for; zero: for ever.
  std::chrono::milliseconds clusters_timeout() const;
  std::chrono::milliseconds listeners_timeout() const;

  void start_clusters();
  void start_listeners();
  void set_endpoint_names(const std::vector<std::string>& names);
  void set_route_names(const std::vector<std::string>& names);
  // Opens streams that wait to be tried again at once.
  void retry_now();
  void add_secret(const std::string& name, const envoy::config::core::v3::ConfigSource& source);

 private:
  using ConfigSource = envoy::config::core::v3::ConfigSource;
  struct Asked {
    DiscoveryStream* stream = nullptr;
    Subscription* subscription = nullptr;
  };
  struct Service;  // a type's own gRPC service

  // The stream for `service` by `source`; a new one each time but for ADS.
  DiscoveryStream& stream(const ConfigSource& source, const Service& service);
  void ask(Asked& asked, const ConfigSource& source, const Service& service,
           const std::vector<std::string>& names, const ResourceConsumer& consumer);

  net::EventLoop& loop_;
  DiscoveryTransport& transport_;
  const envoy::config::core::v3::Node node_;
  const envoy::config::bootstrap::v3::Bootstrap::DynamicResources dynamic_;
  stats::Registry& registry_;
  stats::Shard& shard_;
  const DiscoveryConsumers consumers_;
  ConfigSource endpoints_source_, routes_source_;
  std::unique_ptr<DiscoveryStream> ads_;
  std::vector<std::unique_ptr<DiscoveryStream>> streams_;
  Asked endpoints_, routes_, ads_secrets_;
  std::vector<std::string> ads_secret_names_;
};

}  // namespace sennit::proxy

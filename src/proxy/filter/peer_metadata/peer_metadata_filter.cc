// io.istio.http.peer_metadata: proxies tell each other who they are, by headers that neither
// application sees. A client's proxy adds x-envoy-peer-metadata(-id) to requests (upstream
// propagation) and learns the server from the response (upstream discovery); a server's proxy the
// other way round, answering only clients that told it who they are.
//
// workload_discovery needs nothing here: metrics take the endpoint's own metadata where no header
// came. baggage is accepted; without ambient mode nobody sends it.
#include <istio/peer_metadata.pb.h>

#include "proxy/config/local_node.h"
#include "proxy/filter/filter_types.h"
#include "proxy/filter/typed_config.h"
#include "proxy/route/route_table.h"
#include "proxy/telemetry/peer_metadata.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {
namespace {

using Config = io::istio::http::peer_metadata::Config;
using http::HeaderId;

struct Exchange {
  bool discover_downstream = false, discover_upstream = false;
  bool tell_downstream = false, tell_upstream = false;
  bool skip_external = false;
  std::string id, metadata;  // our own, encoded once
};

// Takes the peer's headers out of `headers`; nullptr where they name nobody.
std::shared_ptr<const PeerMetadata> take_peer(http::HeaderMap& headers, bool& came) {
  const auto metadata = headers.get(HeaderId::XEnvoyPeerMetadata);
  came = metadata.has_value() || headers.has(HeaderId::XEnvoyPeerMetadataId);
  if (!came) return nullptr;
  auto peer = metadata ? decode_peer_metadata(*metadata) : nullptr;
  headers.remove(HeaderId::XEnvoyPeerMetadata);
  headers.remove(HeaderId::XEnvoyPeerMetadataId);
  return peer;
}

class PeerMetadataFilter final : public Filter {
 public:
  PeerMetadataFilter(const Exchange& exchange, FilterCallbacks& callbacks)
      : exchange_(exchange), callbacks_(callbacks) {}

  FilterResult on_request_headers(http::HeaderMap& request, bool) override {
    if (exchange_.discover_downstream) {
      auto peer = take_peer(request, client_told_us_);
      if (peer) callbacks_.info().downstream_peer = std::move(peer);
    }
    if (exchange_.tell_upstream && !(exchange_.skip_external && goes_outside())) tell(request);
    return FilterResult::Continue;
  }

  void on_response_headers(http::HeaderMap& response, bool) override {
    if (exchange_.discover_upstream) {
      bool came = false;
      auto peer = take_peer(response, came);
      if (peer) callbacks_.info().upstream.peer = std::move(peer);
    }
    if (exchange_.tell_downstream && client_told_us_) tell(response);
  }

 private:
  void tell(http::HeaderMap& headers) {
    headers.set(HeaderId::XEnvoyPeerMetadataId, exchange_.id);
    headers.set(HeaderId::XEnvoyPeerMetadata, exchange_.metadata);
  }
  // To the passthrough cluster or a service outside the mesh, which is none of its business.
  bool goes_outside() {
    const Route* route = callbacks_.route();
    if (route == nullptr || route->clusters.empty()) return true;
    const std::string& name = route->clusters.front().name;
    if (name == "PassthroughCluster") return true;
    WorkerCluster* cluster = callbacks_.clusters().find(name);
    return cluster != nullptr && cluster->info()->istio_external;
  }

  const Exchange& exchange_;
  FilterCallbacks& callbacks_;
  bool client_told_us_ = false;
};

class PeerMetadataFactory final : public FilterFactory {
 public:
  explicit PeerMetadataFactory(Exchange exchange) : exchange_(std::move(exchange)) {}
  uint32_t hooks() const override { return kRequestHeaders | kResponseHeaders; }
  std::unique_ptr<Filter> create(FilterCallbacks& callbacks) const override {
    return std::make_unique<PeerMetadataFilter>(exchange_, callbacks);
  }

 private:
  const Exchange exchange_;
};

// The pod's name where the node's metadata has it.
std::string instance_name(const LocalNode& node) {
  const auto& fields = node.node.metadata().fields();
  const auto name = fields.find("NAME");
  return name == fields.end() ? node.workload_name : name->second.string_value();
}

Result<std::unique_ptr<FilterFactory>> create(const google::protobuf::Any& any,
                                              const FilterBuildContext& context) {
  static const SupportedFields supported = {{"io.istio.http.peer_metadata.Config",
                                             {"downstream_discovery", "upstream_discovery",
                                              "downstream_propagation", "upstream_propagation"}}};
  auto config = unpack_config<Config>(any, supported);
  if (!config) return std::unexpected(config.error());
  Exchange exchange;
  for (const auto& method : config->downstream_discovery()) {
    exchange.discover_downstream = exchange.discover_downstream || method.has_istio_headers();
  }
  for (const auto& method : config->upstream_discovery()) {
    exchange.discover_upstream = exchange.discover_upstream || method.has_istio_headers();
  }
  for (const auto& method : config->downstream_propagation()) {
    exchange.tell_downstream = exchange.tell_downstream || method.has_istio_headers();
  }
  for (const auto& method : config->upstream_propagation()) {
    exchange.tell_upstream = exchange.tell_upstream || method.has_istio_headers();
    exchange.skip_external =
        exchange.skip_external || method.istio_headers().skip_external_clusters();
  }
  exchange.id = context.node.id;
  exchange.metadata =
      encode_peer_metadata(local_peer_metadata(context.node), instance_name(context.node));
  return std::make_unique<PeerMetadataFactory>(std::move(exchange));
}

}  // namespace

FilterType peer_metadata_filter_type() {
  return {"type.googleapis.com/io.istio.http.peer_metadata.Config", create, nullptr, {}};
}

}  // namespace sennit::proxy

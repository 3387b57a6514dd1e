// istio.alpn: which ALPN list the upstream TLS handshake offers, by the protocol that the request
// will have upstream. Tells Istio's own listeners apart from any other TLS ("istio-http/1.1").
#include <istio/alpn.pb.h>

#include <array>

#include "proxy/filter/filter_types.h"
#include "proxy/filter/typed_config.h"
#include "proxy/route/route_table.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {
namespace {

using Config = istio::envoy::config::filter::http::alpn::v2alpha1::FilterConfig;
using Lists = std::array<std::vector<std::string>, 3>;  // by Config::Protocol

http::Protocol upstream_protocol(const ClusterInfo& cluster, http::Protocol downstream) {
  switch (cluster.http_version) {
    case ClusterInfo::HttpVersion::Http2:
      return http::Protocol::Http2;
    case ClusterInfo::HttpVersion::Downstream:
      return downstream;
    default:
      return http::Protocol::Http11;
  }
}

class AlpnFilter final : public Filter {
 public:
  AlpnFilter(const Lists& lists, FilterCallbacks& callbacks)
      : lists_(lists), callbacks_(callbacks) {}

  FilterResult on_request_headers(http::HeaderMap&, bool) override {
    const Route* route = callbacks_.route();
    if (route == nullptr || route->clusters.empty()) return FilterResult::Continue;
    // Weighted destinations are versions of one service: they speak one protocol.
    WorkerCluster* cluster = callbacks_.clusters().find(route->clusters.front().name);
    if (cluster == nullptr || !cluster->info()->istio_alpn_override) return FilterResult::Continue;
    StreamInfo& info = callbacks_.info();
    const auto protocol =
        upstream_protocol(*cluster->info(), info.protocol.value_or(http::Protocol::Http11));
    info.alpn_override = lists_[static_cast<size_t>(protocol)];
    return FilterResult::Continue;
  }

 private:
  const Lists& lists_;
  FilterCallbacks& callbacks_;
};

class AlpnFactory final : public FilterFactory {
 public:
  explicit AlpnFactory(Lists lists) : lists_(std::move(lists)) {}
  uint32_t hooks() const override { return kRequestHeaders; }
  std::unique_ptr<Filter> create(FilterCallbacks& callbacks) const override {
    return std::make_unique<AlpnFilter>(lists_, callbacks);
  }

 private:
  const Lists lists_;
};

Result<std::unique_ptr<FilterFactory>> create(const google::protobuf::Any& any,
                                              const FilterBuildContext&) {
  auto config = unpack_config<Config>(any);
  if (!config) return std::unexpected(config.error());
  Lists lists;
  for (int i = 0; i < config->alpn_override_size(); ++i) {
    const auto& entry = config->alpn_override(i);
    const auto index = static_cast<size_t>(entry.upstream_protocol());
    if (index >= lists.size()) return fail("alpn_override[{}].upstream_protocol: is not known", i);
    lists[index].assign(entry.alpn_override().begin(), entry.alpn_override().end());
  }
  return std::make_unique<AlpnFactory>(std::move(lists));
}

}  // namespace

FilterType alpn_filter_type() {
  return {"type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
          create,
          nullptr,
          {}};
}

}  // namespace sennit::proxy

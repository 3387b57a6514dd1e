#include "proxy/listener/network_filters.h"

#include <envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h>
#include <istio/metadata_exchange.pb.h>
#include <istio/stats.pb.h>
#include <udpa/type/v1/typed_struct.pb.h>
#include <xds/type/v3/typed_struct.pb.h>

#include <google/protobuf/util/json_util.h>

#include "proxy/listener/peer_exchange.h"
#include "proxy/listener/supported_listener_fields.h"

namespace sennit::proxy {
namespace {

using google::protobuf::Any;
using Hcm = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using RbacProto = envoy::extensions::filters::network::rbac::v3::RBAC;
using TcpProxyProto = envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using envoy::tcp::metadataexchange::config::MetadataExchange;

std::string_view type_name(std::string_view type_url) {
  return type_url.substr(type_url.rfind('/') + 1);
}

// A TypedStruct holds a message as a Struct: by type name and JSON-shaped value.
struct Typed {
  std::string type_url;
  const Any* any = nullptr;
  google::protobuf::Struct value;

  template <typename Message>
  bool is() const {
    return type_name(type_url) == Message::descriptor()->full_name();
  }
  template <typename Message>
  Result<Message> unpack() const {
    Message message;
    if (any) {
      if (!any->UnpackTo(&message)) return fail("is not a valid {}", type_url);
      return message;
    }
    std::string json;
    auto status = google::protobuf::util::MessageToJsonString(value, &json);
    if (status.ok()) status = google::protobuf::util::JsonStringToMessage(json, &message);
    if (!status.ok()) return fail("value: {}", status.ToString());
    return message;
  }
};

template <typename Struct>
Result<Typed> unwrap(const Any& any) {
  Struct typed;
  if (!any.UnpackTo(&typed)) return fail("is not a valid {}", any.type_url());
  return Typed{typed.type_url(), nullptr, typed.value()};
}

Result<Typed> unwrap_any(const Any& any) {
  if (any.Is<udpa::type::v1::TypedStruct>()) return unwrap<udpa::type::v1::TypedStruct>(any);
  if (any.Is<xds::type::v3::TypedStruct>()) return unwrap<xds::type::v3::TypedStruct>(any);
  return Typed{any.type_url(), &any, {}};
}

Status add_terminal(const Typed& typed, const FilterBuildContext& context, NetworkFilters& out) {
  if (typed.is<Hcm>()) {
    if (!out.istio_stats.empty()) {
      return fail("istio.stats before it counts TCP connections, which only tcp_proxy reports");
    }
    auto message = typed.unpack<Hcm>();
    if (!message) return std::unexpected(message.error());
    FilterBuildContext inner = context;
    inner.stat_prefix = message->stat_prefix();
    auto config = HcmConfig::create(*message, inner);
    if (!config) return std::unexpected(config.error());
    out.http = std::move(*config);
    return {};
  }
  auto message = typed.unpack<TcpProxyProto>();
  if (!message) return std::unexpected(message.error());
  auto config = TcpProxyConfig::create(*message, context.stats);
  if (!config) return std::unexpected(config.error());
  (*config)->istio_stats = out.istio_stats;
  (*config)->announcement = peer_announcement(context.node);
  out.tcp = std::move(*config);
  return {};
}

Status add_metadata_exchange(const Typed& typed, const FilterBuildContext& context,
                             NetworkFilters& out) {
  static const SupportedFields supported = {
      {"envoy.tcp.metadataexchange.config.MetadataExchange", {"protocol", "enable_discovery"}}};
  auto message = typed.unpack<MetadataExchange>();
  if (!message) return std::unexpected(message.error());
  if (auto s = refuse_unsupported(*message, supported); !s) return s;
  if (message->protocol().empty()) return fail("protocol: must not be empty");
  out.metadata_exchange_protocol = message->protocol();
  out.announcement = peer_announcement(context.node);
  return {};
}

Status add_istio_stats(const Typed& typed, const FilterBuildContext& context, NetworkFilters& out) {
  static const SupportedFields supported = {
      {"stats.PluginConfig",
       {"disable_host_header_fallback", "tcp_reporting_duration", "metrics", "definitions",
        "reporter"}}};
  auto message = typed.unpack<::stats::PluginConfig>();
  if (!message) return std::unexpected(message.error());
  if (auto s = refuse_unsupported(*message, supported); !s) return s;
  const auto reporter =
      context.direction == TrafficDirection::Inbound ? Reporter::Destination : Reporter::Source;
  auto stats = IstioStats::create(*message, context.stats, context.node, reporter);
  if (!stats) return std::unexpected(stats.error());
  out.istio_stats.push_back(std::move(*stats));
  return {};
}

Status add_filter(const Typed& typed, const FilterBuildContext& context, NetworkFilters& out) {
  if (typed.is<Hcm>() || typed.is<TcpProxyProto>()) return add_terminal(typed, context, out);
  if (typed.is<RbacProto>()) {
    auto message = typed.unpack<RbacProto>();
    if (!message) return std::unexpected(message.error());
    auto rbac = NetworkRbac::create(*message, context.stats);
    if (!rbac) return std::unexpected(rbac.error());
    out.rbac.push_back(std::move(*rbac));
    return {};
  }
  if (typed.is<MetadataExchange>()) return add_metadata_exchange(typed, context, out);
  if (typed.is<::stats::PluginConfig>()) return add_istio_stats(typed, context, out);
  return fail("{} is not supported", typed.type_url);
}

}  // namespace

Result<NetworkRbac> NetworkRbac::create(const RbacProto& config, stats::Registry& registry) {
  static const SupportedFields supported = {
      {"envoy.extensions.filters.network.rbac.v3.RBAC",
       {"rules", "shadow_rules", "shadow_rules_stat_prefix", "stat_prefix", "enforcement_type"}}};
  if (auto s = refuse_unsupported(config, supported); !s) return std::unexpected(s.error());
  NetworkRbac out;
  if (config.has_rules()) {
    auto engine = rbac::Engine::create(config.rules());
    if (!engine) return std::unexpected(engine.error().within("rules"));
    out.rules = std::move(*engine);
  }
  if (config.has_shadow_rules()) {
    auto engine = rbac::Engine::create(config.shadow_rules());
    if (!engine) return std::unexpected(engine.error().within("shadow_rules"));
    out.shadow = std::move(*engine);
  }
  const auto counter = [&](std::string_view prefix, std::string_view name) {
    return registry.counter({fmt::format("{}rbac.{}{}", config.stat_prefix(), prefix, name),
                             fmt::format("envoy_rbac_{}{}", prefix, name),
                             {}});
  };
  out.allowed = counter("", "allowed");
  out.denied = counter("", "denied");
  out.shadow_allowed = counter(config.shadow_rules_stat_prefix(), "shadow_allowed");
  out.shadow_denied = counter(config.shadow_rules_stat_prefix(), "shadow_denied");
  return out;
}

Result<NetworkFilters> NetworkFilters::create(const Filters& filters,
                                              const FilterBuildContext& context) {
  NetworkFilters out;
  for (int i = 0; i < filters.size(); ++i) {
    const auto where = fmt::format("filters[{}].typed_config", i);
    if (out.http || out.tcp) {
      return fail("filters[{}]: comes after a terminal filter", i);
    }
    auto typed = unwrap_any(filters[i].typed_config());
    if (!typed) return std::unexpected(typed.error().within(where));
    if (auto s = add_filter(*typed, context, out); !s) {
      return std::unexpected(s.error().within(where));
    }
  }
  if (!out.http && !out.tcp) {
    return fail("filters: must end with http_connection_manager or tcp_proxy");
  }
  return out;
}

std::string NetworkFilters::refusal(const DownstreamInfo& downstream, stats::Shard& shard) const {
  for (const auto& filter : rbac) {
    if (filter.shadow) {
      const bool allowed = filter.shadow->evaluate({downstream}).allowed;
      shard.inc(allowed ? filter.shadow_allowed : filter.shadow_denied);
    }
    if (!filter.rules) continue;
    const auto verdict = filter.rules->evaluate({downstream});
    shard.inc(verdict.allowed ? filter.allowed : filter.denied);
    if (!verdict.allowed) return rbac::denial_details(verdict);
  }
  return {};
}

}  // namespace sennit::proxy

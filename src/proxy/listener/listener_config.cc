#include "proxy/listener/listener_config.h"

#include <algorithm>

#include "proxy/listener/limits.h"
#include "proxy/listener/supported_listener_fields.h"

namespace sennit::proxy {
namespace {

namespace v3 = envoy::config::listener::v3;

std::chrono::milliseconds to_milliseconds(const google::protobuf::Duration& duration) {
  return std::chrono::milliseconds(duration.seconds() * 1000 + duration.nanos() / 1'000'000);
}

TrafficDirection direction_of(envoy::config::core::v3::TrafficDirection direction) {
  switch (direction) {
    case envoy::config::core::v3::INBOUND:
      return TrafficDirection::Inbound;
    case envoy::config::core::v3::OUTBOUND:
      return TrafficDirection::Outbound;
    default:
      return TrafficDirection::Unspecified;
  }
}

Status read_address(const v3::Listener& listener, ListenerConfigImpl& out) {
  const auto& config = listener.address();
  if (config.has_pipe()) {
    auto path = net::Address::unix_path(config.pipe().path());
    if (!path) return std::unexpected(path.error().within("address.pipe.path"));
    out.address_ = *path;
    out.listen_options_.unix_mode = config.pipe().mode();
    return {};
  }
  const auto& socket = config.socket_address();
  if (socket.protocol() != envoy::config::core::v3::SocketAddress::TCP) {
    return fail("address.socket_address.protocol: UDP is not supported");
  }
  if (socket.port_value() > 65535) return fail("address.socket_address.port_value: above 65535");
  auto address = net::Address::ip(socket.address(), static_cast<uint16_t>(socket.port_value()));
  if (!address) {
    return std::unexpected(address.error().within("address.socket_address.address"));
  }
  out.address_ = *address;
  out.listen_options_.ipv6_only = address->family() == AF_INET6 && !socket.ipv4_compat();
  return {};
}

void read_socket_settings(const v3::Listener& listener, ListenerConfigImpl& out) {
  if (listener.has_bind_to_port()) out.bind_to_port_ = listener.bind_to_port().value();
  if (listener.deprecated_v1().has_bind_to_port()) {
    out.bind_to_port_ = listener.deprecated_v1().bind_to_port().value();
  }
  out.reuse_port_ = out.address_.is_ip() &&
                    (!listener.has_enable_reuse_port() || listener.enable_reuse_port().value());
  auto& options = out.listen_options_;
  options.reuse_port = out.reuse_port_;
  options.transparent = listener.transparent().value();
  options.freebind = listener.freebind().value();
  options.fast_open_queue = static_cast<int>(listener.tcp_fast_open_queue_length().value());
  if (listener.has_tcp_backlog_size()) {
    options.backlog = static_cast<int>(listener.tcp_backlog_size().value());
  }
  out.max_accepts_ =
      listener.has_max_connections_to_accept_per_socket_event()
          ? std::max(listener.max_connections_to_accept_per_socket_event().value(), 1u)
          : kMaxAcceptsPerEvent;
}

Result<std::unique_ptr<FilterChain>> make_chain(const v3::FilterChain& config,
                                                const FilterBuildContext& context,
                                                SecretManager& secrets) {
  auto chain = std::make_unique<FilterChain>();
  chain->name = config.name();
  auto transport = make_downstream_transport(config.transport_socket(), secrets);
  if (!transport) return std::unexpected(transport.error().within("transport_socket"));
  chain->transport = std::move(*transport);
  const auto timeout = to_milliseconds(config.transport_socket_connect_timeout());
  chain->handshake_timeout = timeout.count() > 0 ? timeout : kHandshakeTimeout;
  auto filters = NetworkFilters::create(config.filters(), context);
  if (!filters) return std::unexpected(filters.error());
  chain->filters = std::move(*filters);
  return chain;
}

Status add_chains(const v3::Listener& listener, ListenerBuildContext& context,
                  ListenerConfigImpl& out) {
  const FilterBuildContext build{context.stats, context.node, out.direction_, {}};
  for (int i = 0; i < listener.filter_chains_size(); ++i) {
    const auto where = fmt::format("filter_chains[{}]", i);
    const auto& config = listener.filter_chains(i);
    if (auto s = out.matcher_.add(config.filter_chain_match()); !s) {
      return std::unexpected(s.error().within(where + ".filter_chain_match"));
    }
    auto chain = make_chain(config, build, context.secrets);
    if (!chain) return std::unexpected(chain.error().within(where));
    out.chains_.push_back(std::move(*chain));
  }
  if (listener.has_default_filter_chain()) {
    auto chain = make_chain(listener.default_filter_chain(), build, context.secrets);
    if (!chain) return std::unexpected(chain.error().within("default_filter_chain"));
    out.default_chain_ = std::move(*chain);
  }
  if (out.chains_.empty() && !out.default_chain_) return fail("filter_chains: there is none");
  return {};
}

void collect_rds_names(ListenerConfigImpl& out) {
  const auto add = [&](const FilterChain& chain) {
    if (!chain.filters.http || chain.filters.http->rds_name().empty()) return;
    const auto& name = chain.filters.http->rds_name();
    if (std::ranges::find(out.rds_names_, name) == out.rds_names_.end()) {
      out.rds_names_.push_back(name);
    }
  };
  for (const auto& chain : out.chains_) add(*chain);
  if (out.default_chain_) add(*out.default_chain_);
}

Status build(const v3::Listener& listener, ListenerBuildContext& context, ListenerConfigImpl& out) {
  if (auto s = refuse_unsupported(listener, supported_listener_fields()); !s) return s;
  out.name_ = listener.name();
  if (auto s = read_address(listener, out); !s) return s;
  read_socket_settings(listener, out);
  out.use_original_dst_ = listener.use_original_dst().value();
  out.direction_ = direction_of(listener.traffic_direction());
  out.buffer_limit_ = listener.has_per_connection_buffer_limit_bytes()
                          ? listener.per_connection_buffer_limit_bytes().value()
                          : kBufferLimit;
  out.filters_timeout_ = listener.has_listener_filters_timeout()
                             ? to_milliseconds(listener.listener_filters_timeout())
                             : kListenerFiltersTimeout;
  out.continue_on_timeout_ = listener.continue_on_listener_filters_timeout();
  for (int i = 0; i < listener.listener_filters_size(); ++i) {
    auto filter = ListenerFilter::create(listener.listener_filters(i));
    if (!filter) {
      return std::unexpected(filter.error().within(fmt::format("listener_filters[{}]", i)));
    }
    out.filters_.push_back(std::move(*filter));
  }
  // Envoy: use_original_dst brings the original_dst filter with it.
  const auto is_original_dst = [](const ListenerFilter& filter) {
    return filter.kind == ListenerFilter::Kind::OriginalDst;
  };
  if (out.use_original_dst_ && std::ranges::none_of(out.filters_, is_original_dst)) {
    out.filters_.insert(out.filters_.begin(), ListenerFilter{ListenerFilter::Kind::OriginalDst});
  }
  for (int i = 0; i < listener.access_log_size(); ++i) {
    auto log = make_access_log(listener.access_log(i));
    if (!log) return std::unexpected(log.error().within(fmt::format("access_log[{}]", i)));
    out.access_logs_.push_back(std::move(*log));
  }
  if (auto s = add_chains(listener, context, out); !s) return s;
  collect_rds_names(out);
  std::string prefix = listener.stat_prefix();
  if (prefix.empty()) prefix = out.address_.to_string();
  std::ranges::replace(prefix, ':', '_');
  out.stats_ = ListenerStats(context.stats, prefix);
  return {};
}

}  // namespace

ListenerStats::ListenerStats(stats::Registry& registry, const std::string& prefix) {
  const auto key = [&](std::string_view name) {
    std::string family = fmt::format("envoy_listener_{}", name);
    std::ranges::replace(family, '.', '_');
    return stats::MetricKey{fmt::format("listener.{}.{}", prefix, name),
                            std::move(family),
                            {{"envoy_listener_address", prefix}}};
  };
  cx_total = registry.counter(key("downstream_cx_total"));
  cx_destroy = registry.counter(key("downstream_cx_destroy"));
  cx_overflow = registry.counter(key("downstream_cx_overflow"));
  pre_cx_timeout = registry.counter(key("downstream_pre_cx_timeout"));
  no_filter_chain_match = registry.counter(key("no_filter_chain_match"));
  accept_error = registry.counter(key("accept_error"));
  ssl_handshake = registry.counter(key("ssl.handshake"));
  ssl_connection_error = registry.counter(key("ssl.connection_error"));
  ssl_no_certificate = registry.counter(key("ssl.no_certificate"));
  ssl_session_reused = registry.counter(key("ssl.session_reused"));
  ssl_fail_verify_error = registry.counter(key("ssl.fail_verify_error"));
  cx_active = registry.gauge(key("downstream_cx_active"));
  pre_cx_active = registry.gauge(key("downstream_pre_cx_active"));
  cx_length_ms = registry.histogram(key("downstream_cx_length_ms"));
}

Result<std::shared_ptr<const ListenerConfig>> ListenerConfig::create(
    const v3::Listener& listener, ListenerBuildContext& context) {
  auto config = std::make_shared<ListenerConfigImpl>();
  if (auto s = build(listener, context, *config); !s) return std::unexpected(s.error());
  return config;
}

Result<UniqueFd> open_listen_socket(const ListenerConfig& config) {
  return net::listen_on(config.address(),
                        static_cast<const ListenerConfigImpl&>(config).listen_options_);
}

Result<std::vector<UniqueFd>> open_listen_sockets(const ListenerConfig& config, size_t workers) {
  std::vector<UniqueFd> sockets;
  auto first = open_listen_socket(config);
  if (!first) return std::unexpected(first.error());
  sockets.push_back(std::move(*first));
  // With port 0 the kernel has chosen one: the others must join it.
  const auto address = net::bound_address(sockets.front().get());
  while (sockets.size() < workers) {
    if (!config.reuse_port()) {
      sockets.emplace_back(::dup(sockets.front().get()));
      if (!sockets.back().valid())
        return fail("cannot share the socket of {}", address.to_string());
      continue;
    }
    auto next =
        net::listen_on(address, static_cast<const ListenerConfigImpl&>(config).listen_options_);
    if (!next) return std::unexpected(next.error());
    sockets.push_back(std::move(*next));
  }
  return sockets;
}

}  // namespace sennit::proxy

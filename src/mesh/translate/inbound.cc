#include "mesh/translate/inbound.h"

#include <envoy/config/route/v3/route.pb.h>
#include <envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h>
#include <fmt/format.h>

#include "mesh/translate/access_log.h"
#include "mesh/translate/filters.h"
#include "mesh/translate/mtls.h"

namespace sennit::mesh {

namespace {

// ALPN names by which sidecars tell each other what is inside their mutual TLS.
const std::vector<std::string> kIstioHttp = {"istio-http/1.0", "istio-http/1.1", "istio-h2"};
const std::vector<std::string> kIstioTcp = {"istio-peer-exchange", "istio"};
const std::vector<std::string> kIstioAny = {"istio", "istio-peer-exchange", "istio-http/1.0",
                                            "istio-http/1.1", "istio-h2"};
// What the HTTP inspector reports for plain text.
const std::vector<std::string> kPlainHttp = {"http/1.1", "h2c"};

struct ChainKind {
  bool http = false, mutual_tls = false;
  std::vector<std::string> alpn;
  const char* transport = "";
};

enum class Speaks { Http, Tcp, Unknown };

Speaks speaks(Protocol protocol) {
  if (is_http(protocol)) return Speaks::Http;
  return protocol == Protocol::Auto ? Speaks::Unknown : Speaks::Tcp;
}

std::vector<ChainKind> chain_kinds(MutualTls mode, Speaks what) {
  switch (mode) {
    case MutualTls::Disable:
      if (what == Speaks::Http) return {{true, false, {}, ""}};
      if (what == Speaks::Tcp) return {{false, false, {}, ""}};
      return {{true, false, kPlainHttp, "raw_buffer"}, {false, false, {}, ""}};
    case MutualTls::Strict:
      if (what == Speaks::Http) return {{true, true, {}, "tls"}};
      if (what == Speaks::Tcp) return {{false, true, {}, "tls"}};
      return {{true, true, kIstioHttp, "tls"}, {false, true, {}, "tls"}};
    case MutualTls::Permissive:
      if (what == Speaks::Http) {
        return {{true, true, kIstioAny, "tls"}, {true, false, {}, "raw_buffer"}};
      }
      if (what == Speaks::Tcp) {
        return {{false, true, kIstioTcp, "tls"},
                {false, false, {}, "tls"},
                {false, false, {}, "raw_buffer"}};
      }
      return {{true, true, kIstioHttp, "tls"},
              {true, false, kPlainHttp, "raw_buffer"},
              {false, true, kIstioTcp, "tls"},
              {false, false, {}, "raw_buffer"},
              {false, false, {}, "tls"}};
  }
  return {};
}

class InboundMaker {
 public:
  InboundMaker(const Mesh& mesh, const Proxy& proxy) : mesh_(mesh), proxy_(proxy) {}

  // One listener for all ports, behind the kernel's redirection.
  Listener redirected(const std::vector<InboundPort>& ports) {
    Listener listener = make_listener("virtualInbound", "0.0.0.0", listen_port(), true);
    black_hole(listener);
    passthrough(listener);
    for (const auto& port : ports) {
      add_chains(port, fmt::format("0.0.0.0_{}", port.workload_port), true, listener);
    }
    auto* original = listener.add_listener_filters();
    original->set_name("envoy.filters.listener.original_dst");
    *original->mutable_typed_config() =
        pack(envoy::extensions::filters::listener::original_dst::v3::OriginalDst());
    if (wants_tls_inspector_) {
      add_tls_inspector(listener);
      skip(listener, plain_ports_);
    }
    if (wants_http_inspector_) {
      add_http_inspector(listener);
      skip(listener, explicit_ports_);
    }
    finish(listener);
    constexpr uint32_t kAcceptsPerEvent = 1;
    listener.mutable_max_connections_to_accept_per_socket_event()->set_value(kAcceptsPerEvent);
    return listener;
  }

  Listener direct(const InboundPort& port) {
    Listener listener = make_listener(fmt::format("inbound_{}_{}", proxy_.ip, port.bind_port),
                                      proxy_.ip, port.bind_port, true);
    add_chains(port, fmt::format("{}_{}", proxy_.ip, port.bind_port), false, listener);
    if (wants_tls_inspector_) add_tls_inspector(listener);
    if (wants_http_inspector_) add_http_inspector(listener);
    finish(listener);
    return listener;
  }

 private:
  void finish(Listener& listener) const {
    *listener.mutable_listener_filters_timeout() = mesh_.config().has_protocol_detection_timeout()
                                                       ? mesh_.config().protocol_detection_timeout()
                                                       : seconds(0);
    listener.set_continue_on_listener_filters_timeout(true);
    add_listener_access_log(mesh_, *listener.mutable_access_log());
  }

  uint32_t listen_port() const {
    int32_t configured = mesh_.config().proxy_inbound_listen_port();
    return configured == 0 ? kInboundPort : static_cast<uint32_t>(configured);
  }

  // The last listener filter does not look at connections to these ports.
  void skip(Listener& listener, const std::vector<uint32_t>& ports) const {
    auto* filter = listener.mutable_listener_filters(listener.listener_filters_size() - 1);
    std::vector<uint32_t> all = {listen_port()};
    all.insert(all.end(), ports.begin(), ports.end());
    auto* disabled = filter->mutable_filter_disabled();
    for (uint32_t port : all) {
      auto* rule = all.size() == 1 ? disabled : disabled->mutable_or_match()->add_rules();
      rule->mutable_destination_port_range()->set_start(static_cast<int32_t>(port));
      rule->mutable_destination_port_range()->set_end(static_cast<int32_t>(port) + 1);
    }
  }

  // A connection to the listener's own port would go round in circles.
  void black_hole(Listener& listener) {
    FilterChain& chain = *listener.add_filter_chains();
    chain.set_name("virtualInbound-blackhole");
    chain.mutable_filter_chain_match()->mutable_destination_port()->set_value(listen_port());
    add_network_exchange(proxy_, chain);
    add_tcp_proxy(mesh_, proxy_, Direction::Inbound, kBlackHoleCluster, false, chain);
  }

  // Ports that no service names go on to where they were sent.
  void passthrough(Listener& listener) {
    InboundPort any;
    MutualTls mode = mesh_.mutual_tls(proxy_.namespace_, proxy_.labels, 0);
    for (const auto& kind : chain_kinds(mode, Speaks::Unknown)) {
      FilterChain& chain = *listener.add_filter_chains();
      chain.set_name(kind.http ? "virtualInbound-catchall-http" : "virtualInbound");
      fill(kind, any, std::string(kInboundPassthroughCluster),
           std::string(kInboundPassthroughCluster), chain);
    }
  }

  void add_chains(const InboundPort& port, const std::string& name, bool match_port,
                  Listener& listener) {
    MutualTls mode = mesh_.mutual_tls(proxy_.namespace_, proxy_.labels, port.workload_port);
    Speaks what = speaks(port.port.protocol);
    if (mode == MutualTls::Disable) plain_ports_.push_back(port.workload_port);
    if (what != Speaks::Unknown) explicit_ports_.push_back(port.workload_port);
    for (const auto& kind : chain_kinds(mode, what)) {
      FilterChain& chain = *listener.add_filter_chains();
      chain.set_name(name);
      if (match_port) {
        chain.mutable_filter_chain_match()->mutable_destination_port()->set_value(
            port.workload_port);
      }
      fill(kind, port, inbound_cluster(port.workload_port), "inbound_" + name, chain);
    }
  }

  void fill(const ChainKind& kind, const InboundPort& port, const std::string& cluster,
            const std::string& stat_prefix, FilterChain& chain) {
    if (*kind.transport != '\0' || !kind.alpn.empty()) {
      auto* match = chain.mutable_filter_chain_match();
      match->set_transport_protocol(kind.transport);
      for (const auto& name : kind.alpn) match->add_application_protocols(name);
      wants_tls_inspector_ = true;
    }
    if (kind.alpn == kPlainHttp) wants_http_inspector_ = true;
    if (kind.mutual_tls) *chain.mutable_transport_socket() = istio_mutual_server(mesh_, kind.http);
    add_network_exchange(proxy_, chain);
    if (!kind.http) {
      add_tcp_proxy(mesh_, proxy_, Direction::Inbound, cluster, true, chain);
      return;
    }
    HttpManager manager = make_http_manager(mesh_, proxy_, Direction::Inbound, stat_prefix);
    *manager.mutable_route_config() = routes(port, cluster);
    add_http_manager(manager, chain);
  }

  static envoy::config::route::v3::RouteConfiguration routes(const InboundPort& port,
                                                             const std::string& cluster) {
    envoy::config::route::v3::RouteConfiguration config;
    config.set_name(cluster);
    config.mutable_validate_clusters()->set_value(false);
    auto* host = config.add_virtual_hosts();
    host->set_name(fmt::format("inbound|http|{}", port.port.number));
    host->add_domains("*");
    auto* route = host->add_routes();
    route->set_name("default");
    route->mutable_match()->set_prefix("/");
    route->mutable_decorator()->set_operation(
        fmt::format("{}:{}/*", port.service ? port.service->hostname : "", port.port.number));
    auto* action = route->mutable_route();
    action->set_cluster(cluster);
    *action->mutable_timeout() = seconds(0);
    *action->mutable_max_stream_duration()->mutable_max_stream_duration() = seconds(0);
    *action->mutable_max_stream_duration()->mutable_grpc_timeout_header_max() = seconds(0);
    constexpr uint32_t kInboundRetries = 2;
    action->mutable_retry_policy()->set_retry_on("reset-before-request");
    action->mutable_retry_policy()->mutable_num_retries()->set_value(kInboundRetries);
    return config;
  }

  const Mesh& mesh_;
  const Proxy& proxy_;
  bool wants_tls_inspector_ = false, wants_http_inspector_ = false;
  std::vector<uint32_t> plain_ports_, explicit_ports_;
};

}  // namespace

std::vector<Listener> inbound_listeners(const Mesh& mesh, const Proxy& proxy) {
  auto ports = inbound_ports(mesh, proxy);
  if (proxy.interception != Proxy::Interception::None) {
    return {InboundMaker(mesh, proxy).redirected(ports)};
  }
  std::vector<Listener> out;
  for (const auto& port : ports) out.push_back(InboundMaker(mesh, proxy).direct(port));
  return out;
}

}  // namespace sennit::mesh

#include "mesh/translate/outbound.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "mesh/translate/access_log.h"
#include "mesh/translate/filters.h"
#include "mesh/translate/tcp_routes.h"

namespace sennit::mesh {

namespace {

constexpr const char* kAnyAddress = "0.0.0.0";
constexpr const char* kLoopback = "127.0.0.1";
// How long a TLS handshake may take on a connection that was accepted.
constexpr int64_t kHandshakeSeconds = 15;

class OutboundMaker {
 public:
  OutboundMaker(const Mesh& mesh, const Proxy& proxy)
      : mesh_(mesh), proxy_(proxy), scope_(mesh.scope(proxy)) {}

  std::vector<Listener> all() {
    // Listeners with a port of their own come first: a catch-all may not take their place.
    for (const auto& part : scope_->listeners) {
      if (part.egress != nullptr && part.egress->port().number() != 0) of_egress(part);
    }
    for (const auto& part : scope_->listeners) {
      if (part.egress != nullptr && part.egress->port().number() != 0) continue;
      for (const auto& service : part.services) {
        for (const auto& port : service->ports) of_port(part, *service, port, "");
      }
    }
    std::vector<Listener> out;
    for (const auto& key : order_) out.push_back(finished(entries_.at(key)));
    out.push_back(catch_all());
    return out;
  }

 private:
  // A listener while it grows: HTTP by routes, TCP by filter chains.
  struct Entry {
    Listener listener;
    bool http = false, sniffs_http = false, tls = false, bind = false;
    std::vector<FilterChain> tcp;
  };

  void of_egress(const ProxyScope::Listener& part) {
    const auto& egress = *part.egress;
    Protocol protocol = parse_protocol(egress.port().protocol());
    // captureMode NONE: the application is told of the listener, the kernel sends nothing there.
    bool bound = egress.capture_mode() == api::CaptureMode::NONE;
    std::string bind = egress.bind();
    if (bind.empty()) bind = bound ? kLoopback : kAnyAddress;
    uint32_t number = egress.port().number();
    if (is_http(protocol)) {
      add_http(bind, number, std::to_string(number), false);
      if (bound) entries_.at(key_of(bind, number)).bind = true;
      return;
    }
    for (const auto& service : part.services) {
      for (const auto& port : service->ports) {
        ServicePort as = port;
        if (protocol != Protocol::Auto) as.protocol = protocol;
        of_port(part, *service, as, bound ? bind : egress.bind());
      }
    }
    auto made = entries_.find(key_of(bind, number));
    if (bound && made != entries_.end()) made->second.bind = true;
  }

  void of_port(const ProxyScope::Listener& part, const Service& service, const ServicePort& port,
               const std::string& bind) {
    if (port.protocol == Protocol::Udp) return;
    if (is_http(port.protocol)) {
      add_http(bind.empty() ? kAnyAddress : bind, port.number, std::to_string(port.number), false);
      return;
    }
    std::vector<std::string> addresses = service.addresses;
    if (!bind.empty()) addresses = {bind};
    if (addresses.empty()) addresses.push_back(kAnyAddress);
    for (const auto& address : addresses) {
      size_t slash = address.find('/');
      bool host_only = address.ends_with("/32") && address.find(':') == address.npos;
      bool block = slash != address.npos && !host_only;
      std::string at = block ? kAnyAddress : address.substr(0, slash);
      if (port.protocol == Protocol::Auto) {
        // By its address the service is known; its routes are its own.
        std::string routes = at == kAnyAddress
                                 ? std::to_string(port.number)
                                 : fmt::format("{}:{}", service.hostname, port.number);
        add_http(at, port.number, routes, true);
      }
      bool by_sni = at == kAnyAddress && is_tls(port.protocol);
      TcpTarget target{service, port, block ? address : "", by_sni};
      add_tcp(at, target, part.virtual_services);
    }
  }

  static std::string key_of(const std::string& address, uint32_t port) {
    return fmt::format("{}_{}", address, port);
  }

  Entry& entry(const std::string& address, uint32_t port, bool& fresh) {
    std::string key = key_of(address, port);
    auto [at, added] = entries_.try_emplace(key);
    fresh = added;
    if (added) {
      order_.push_back(key);
      at->second.listener = make_listener(key, address, port, false);
    }
    return at->second;
  }

  void add_http(const std::string& address, uint32_t port, const std::string& routes,
                bool sniffed) {
    bool fresh = false;
    Entry& at = entry(address, port, fresh);
    // Another service's routes are in the same route configuration. A TCP service that was there
    // first keeps the port.
    if (at.http || (!fresh && !sniffed)) return;
    at.http = true;
    at.sniffs_http = sniffed;
    HttpManager manager = make_http_manager(mesh_, proxy_, Direction::Outbound,
                                            fmt::format("outbound_{}_{}", address, port));
    use_rds(manager, routes);
    FilterChain& chain = *at.listener.add_filter_chains();
    auto* match = chain.mutable_filter_chain_match();
    match->set_transport_protocol("raw_buffer");
    for (const char* plain : {"http/1.1", "h2c"}) match->add_application_protocols(plain);
    add_http_manager(manager, chain);
    *chain.mutable_transport_socket_connect_timeout() = seconds(kHandshakeSeconds);
  }

  void add_tcp(const std::string& address, const TcpTarget& target,
               const std::vector<VirtualServicePtr>& rules) {
    bool fresh = false;
    Entry& at = entry(address, target.port.number, fresh);
    if (at.http && !at.sniffs_http) return;  // an HTTP service was there first
    for (auto& chain : sidecar_tcp_chains(mesh_, proxy_, target, rules)) {
      std::string match = deterministic_bytes(chain.filter_chain_match());
      bool known = std::ranges::any_of(at.tcp, [&](const FilterChain& other) {
        return deterministic_bytes(other.filter_chain_match()) == match;
      });
      if (known) continue;
      if (chain.filter_chain_match().server_names_size() > 0) at.tls = true;
      at.tcp.push_back(std::move(chain));
    }
  }

  // Traffic of this port that is no service's: passed through, or dropped.
  FilterChain fallthrough() const {
    FilterChain chain;
    chain.mutable_filter_chain_match();
    chain.set_name(scope_->registry_only ? "BlackHoleFilterChain" : "PassthroughFilterChain");
    add_tcp_proxy(mesh_, proxy_, Direction::Outbound,
                  scope_->registry_only ? kBlackHoleCluster : kPassthroughCluster, true, chain);
    return chain;
  }

  Listener finished(Entry& at) const {
    Listener& out = at.listener;
    if (!at.bind) out.mutable_bind_to_port()->set_value(false);
    bool any = out.address().socket_address().address() == kAnyAddress;
    bool whole = false;
    for (auto& chain : at.tcp) {
      *chain.mutable_transport_socket_connect_timeout() = seconds(kHandshakeSeconds);
      whole |= deterministic_bytes(chain.filter_chain_match()).empty();
      *out.add_filter_chains() = std::move(chain);
    }
    if (any && !whole) *out.mutable_default_filter_chain() = fallthrough();
    if (at.tls || at.sniffs_http) add_tls_inspector(out);
    if (at.http) add_http_inspector(out);
    *out.mutable_listener_filters_timeout() = mesh_.config().has_protocol_detection_timeout()
                                                  ? mesh_.config().protocol_detection_timeout()
                                                  : seconds(0);
    out.set_continue_on_listener_filters_timeout(true);
    return out;
  }

  Listener catch_all() const {
    uint32_t configured = static_cast<uint32_t>(mesh_.config().proxy_listen_port());
    uint32_t port = configured == 0 ? kOutboundPort : configured;
    Listener out = make_listener("virtualOutbound", kAnyAddress, port, false);
    out.mutable_use_original_dst()->set_value(true);
    FilterChain& loop = *out.add_filter_chains();
    loop.set_name("virtualOutbound-blackhole");
    loop.mutable_filter_chain_match()->mutable_destination_port()->set_value(port);
    add_tcp_proxy(mesh_, proxy_, Direction::Outbound, kBlackHoleCluster, false, loop);
    FilterChain rest = fallthrough();
    rest.clear_filter_chain_match();
    rest.set_name("virtualOutbound-catchall-tcp");
    *out.add_filter_chains() = std::move(rest);
    add_listener_access_log(mesh_, *out.mutable_access_log());
    constexpr uint32_t kAcceptsPerEvent = 1;
    out.mutable_max_connections_to_accept_per_socket_event()->set_value(kAcceptsPerEvent);
    return out;
  }

  const Mesh& mesh_;
  const Proxy& proxy_;
  std::shared_ptr<const ProxyScope> scope_;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> order_;
};

}  // namespace

std::vector<Listener> redirected_outbound_listeners(const Mesh& mesh, const Proxy& proxy) {
  return OutboundMaker(mesh, proxy).all();
}

}  // namespace sennit::mesh

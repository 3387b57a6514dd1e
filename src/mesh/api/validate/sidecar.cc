#include "mesh/api/istio/sidecar.pb.h"

#include <set>

#include "mesh/api/validate/common.h"
#include "mesh/api/validate/http_route.h"
#include "mesh/api/validate/server_tls.h"
#include "mesh/api/validate/traffic_policy.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

void check_bind(Checker& checker, const std::string& field, const std::string& bind) {
  if (!bind.empty() && !is_ip_address(bind) && !bind.starts_with("unix://"))
    checker.error(below(field, "bind"), "\"{}\" is no IP address", bind);
}

// "127.0.0.1:8080", "0.0.0.0:8080", "[::1]:8080", "unix:///path".
bool is_default_endpoint(std::string_view endpoint) {
  if (endpoint.starts_with("unix://")) return true;
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == endpoint.size()) return false;
  const std::string_view host = endpoint.substr(0, colon);
  const std::string port(endpoint.substr(colon + 1));
  if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos) return false;
  const int number = std::stoi(port);
  return number > 0 && number <= static_cast<int>(kMaxPort) &&
         (host.empty() || host == "127.0.0.1" || host == "0.0.0.0" || host == "[::1]" ||
          host == "[::]");
}

void check_ingress(Checker& checker, const api::Sidecar& spec) {
  std::set<std::pair<std::string, uint32_t>> listeners;
  for (int i = 0; i < spec.ingress_size(); ++i) {
    const auto& listener = spec.ingress(i);
    const std::string field = at("ingress", i);
    if (!listener.has_port()) {
      checker.error(field, "needs a \"port\"");
    } else {
      check_port_definition(checker, below(field, "port"), listener.port());
      if (!listeners.emplace(listener.bind(), listener.port().number()).second)
        checker.error(below(field, "port.number"), "{} is listened on twice",
                      listener.port().number());
    }
    check_bind(checker, field, listener.bind());
    if (!listener.default_endpoint().empty() && !is_default_endpoint(listener.default_endpoint()))
      checker.error(below(field, "defaultEndpoint"),
                    "\"{}\" must be 127.0.0.1:PORT, 0.0.0.0:PORT, "
                    "[::1]:PORT or unix:///PATH",
                    listener.default_endpoint());
    if (listener.has_tls()) check_server_tls(checker, below(field, "tls"), listener.tls());
    if (listener.has_connection_pool())
      check_connection_pool(checker, below(field, "connectionPool"), listener.connection_pool());
  }
}

void check_egress(Checker& checker, const api::Sidecar& spec) {
  for (int i = 0; i < spec.egress_size(); ++i) {
    const auto& listener = spec.egress(i);
    const std::string field = at("egress", i);
    if (listener.hosts_size() == 0) checker.error(field, "needs \"hosts\" with at least one host");
    for (int h = 0; h < listener.hosts_size(); ++h)
      check_scoped_host(checker, at(below(field, "hosts"), h), listener.hosts(h), true);
    check_bind(checker, field, listener.bind());
    if (listener.has_port()) {
      check_port_definition(checker, below(field, "port"), listener.port());
    } else if (i + 1 < spec.egress_size()) {
      checker.error(field, "takes every port since it has none; it must be the last of \"egress\"");
    }
  }
}

}  // namespace

void validate_sidecar(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::Sidecar>();
  if (spec.has_workload_selector()) check_selector(checker, spec.workload_selector());
  if (spec.ingress_size() + spec.egress_size() == 0 && !spec.has_outbound_traffic_policy() &&
      !spec.has_inbound_connection_pool())
    checker.error("", "is empty; write egress, ingress or outboundTrafficPolicy");
  check_ingress(checker, spec);
  check_egress(checker, spec);
  if (spec.has_inbound_connection_pool())
    check_connection_pool(checker, "inboundConnectionPool", spec.inbound_connection_pool());
  if (spec.outbound_traffic_policy().has_egress_proxy())
    check_destination(checker, "outboundTrafficPolicy.egressProxy",
                      spec.outbound_traffic_policy().egress_proxy());
}

}  // namespace sennit::mesh

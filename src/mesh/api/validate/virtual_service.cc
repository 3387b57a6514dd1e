#include "mesh/api/istio/virtual_service.pb.h"

#include <algorithm>
#include <set>

#include "mesh/api/metadata.h"
#include "mesh/api/validate/common.h"
#include "mesh/api/validate/http_route.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

void check_gateways(Checker& checker, const std::string& field, const StringList& gateways) {
  for (int i = 0; i < gateways.size(); ++i) {
    const std::string_view name = gateways[i];
    const size_t slash = name.find('/');
    const bool good = slash == std::string_view::npos
                          ? is_fqdn(name)
                          : (is_dns_label(name.substr(0, slash)) || name.starts_with("./")) &&
                                is_dns_subdomain(name.substr(slash + 1));
    if (!good)
      checker.error(at(field, i), "\"{}\" is no gateway; write NAME, NAMESPACE/NAME or mesh", name);
  }
}

bool applies_to_mesh(const api::VirtualService& spec) {
  return spec.gateways_size() == 0 || std::ranges::count(spec.gateways(), "mesh") > 0;
}

void check_hosts(Checker& checker, const api::VirtualService& spec) {
  std::set<std::string> seen;
  for (int i = 0; i < spec.hosts_size(); ++i) {
    const std::string& host = spec.hosts(i);
    const std::string field = at("hosts", i);
    if (!is_wildcard_domain(host) && !is_ip_address(host))
      checker.error(field, "\"{}\" is no host; write a DNS name, *.DNS or an IP address", host);
    else if (host == "*" && applies_to_mesh(spec))
      checker.error(field,
                    "\"*\" cannot stand for every host of the mesh; name the hosts, or bind "
                    "to gateways only");
    if (!seen.insert(host).second) checker.error(field, "\"{}\" is there twice; remove one", host);
  }
}

void check_delegate(Checker& checker, const api::VirtualService& spec) {
  if (spec.gateways_size() > 0)
    checker.error("gateways", "a delegate (without hosts) cannot name gateways");
  if (spec.tls_size() > 0) checker.error("tls", "a delegate (without hosts) has http routes only");
  if (spec.tcp_size() > 0) checker.error("tcp", "a delegate (without hosts) has http routes only");
  if (spec.http_size() == 0) checker.error("http", "is missing; a delegate needs http routes");
}

// "*.example.com" covers "a.example.com" and itself.
bool covers(std::string_view wide, std::string_view narrow) {
  if (wide == "*" || wide == narrow) return true;
  return wide.starts_with("*.") && narrow.ends_with(wide.substr(1));
}

void check_sni(Checker& checker, const std::string& field, const api::TLSMatchAttributes& match,
               const api::VirtualService& spec) {
  if (match.sni_hosts_size() == 0)
    checker.error(field, "needs \"sniHosts\" with at least one host");
  for (int i = 0; i < match.sni_hosts_size(); ++i) {
    const std::string& host = match.sni_hosts(i);
    const std::string path = at(below(field, "sniHosts"), i);
    if (!is_wildcard_domain(host)) {
      checker.error(path, "\"{}\" is no host name", host);
    } else if (!std::ranges::any_of(spec.hosts(), [&](const auto& h) { return covers(h, host); })) {
      checker.error(
          path, "\"{}\" is under none of this VirtualService's hosts; add it to \"hosts\"", host);
    }
  }
}

template <typename Match>
void check_l4_match(Checker& checker, const std::string& field, const Match& match) {
  for (int i = 0; i < match.destination_subnets_size(); ++i)
    if (!is_ip_or_cidr(match.destination_subnets(i)))
      checker.error(at(below(field, "destinationSubnets"), i),
                    "\"{}\" is no IP address or CIDR prefix", match.destination_subnets(i));
  if (checker.written(below(field, "port")))
    check_port(checker, below(field, "port"), match.port());
  check_labels(checker, below(field, "sourceLabels"), match.source_labels());
  check_gateways(checker, below(field, "gateways"), match.gateways());
}

template <typename Route>
void check_l4_routes(Checker& checker, const std::string& field, const Route& route) {
  if (route.route_size() == 0) checker.error(field, "needs \"route\" with a destination");
  check_weights(checker, below(field, "route"), route.route());
}

void check_http(Checker& checker, const api::VirtualService& spec) {
  bool catch_all = false;
  for (int i = 0; i < spec.http_size(); ++i) {
    const std::string field = at("http", i);
    for (int m = 0; m < spec.http(i).match_size(); ++m)
      check_gateways(checker, below(at(below(field, "match"), m), "gateways"),
                     spec.http(i).match(m).gateways());
    check_http_route(checker, field, spec.http(i), spec.hosts_size() == 0);
    if (catch_all)
      checker.add(Diagnostic::Level::Warning, field, "IST0130",
                  "is never reached: a route before it has no match and takes everything");
    catch_all = catch_all || spec.http(i).match_size() == 0;
  }
}

}  // namespace

void validate_virtual_service(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::VirtualService>();
  check_gateways(checker, "gateways", spec.gateways());
  spec.hosts_size() == 0 ? check_delegate(checker, spec) : check_hosts(checker, spec);
  if (spec.http_size() + spec.tls_size() + spec.tcp_size() == 0 && spec.hosts_size() > 0)
    checker.error("", "has no routes; write http, tls or tcp");
  check_http(checker, spec);
  for (int i = 0; i < spec.tls_size(); ++i) {
    const std::string field = at("tls", i);
    if (spec.tls(i).match_size() == 0)
      checker.error(field, "needs \"match\" with at least one sniHosts");
    for (int m = 0; m < spec.tls(i).match_size(); ++m) {
      const std::string path = at(below(field, "match"), m);
      check_sni(checker, path, spec.tls(i).match(m), spec);
      check_l4_match(checker, path, spec.tls(i).match(m));
    }
    check_l4_routes(checker, field, spec.tls(i));
  }
  for (int i = 0; i < spec.tcp_size(); ++i) {
    const std::string field = at("tcp", i);
    for (int m = 0; m < spec.tcp(i).match_size(); ++m)
      check_l4_match(checker, at(below(field, "match"), m), spec.tcp(i).match(m));
    check_l4_routes(checker, field, spec.tcp(i));
  }
  check_export_to(checker, spec.export_to());
}

}  // namespace sennit::mesh

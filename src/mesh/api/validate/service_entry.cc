#include "mesh/api/istio/service_entry.pb.h"

#include <algorithm>
#include <map>
#include <set>

#include "mesh/api/validate/common.h"
#include "mesh/api/validate/validators.h"
#include "mesh/api/validate/workload.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

bool by_dns(const api::ServiceEntry& spec) {
  return spec.resolution() == api::ServiceEntry::DNS ||
         spec.resolution() == api::ServiceEntry::DNS_ROUND_ROBIN;
}

void check_hosts(Checker& checker, const api::ServiceEntry& spec) {
  if (spec.hosts_size() == 0) checker.error("hosts", "is missing; name at least one host");
  for (int i = 0; i < spec.hosts_size(); ++i) {
    const std::string& host = spec.hosts(i);
    const std::string field = at("hosts", i);
    if (host == "*")
      checker.error(field, "\"*\" cannot be a service; name the host");
    else if (!is_wildcard_domain(host))
      checker.error(field, "\"{}\" is no host name", host);
    else if (host.starts_with("*") && by_dns(spec) && spec.endpoints_size() == 0)
      checker.error(field,
                    "\"{}\" cannot be looked up in DNS; name the host, give endpoints, or "
                    "write resolution NONE",
                    host);
  }
}

void check_ports(Checker& checker, const api::ServiceEntry& spec) {
  std::map<uint32_t, int> numbers;
  std::map<std::string, int> names;
  for (int i = 0; i < spec.ports_size(); ++i) {
    const auto& port = spec.ports(i);
    const std::string field = at("ports", i);
    if (port.name().empty()) checker.error(field, "needs a \"name\"");
    check_port_definition(checker, field, port);
    if (const auto [first, fresh] = numbers.emplace(port.number(), i); !fresh)
      checker.error(below(field, "number"), "{} is ports[{}]'s, too", port.number(), first->second);
    if (const auto [first, fresh] = names.emplace(port.name(), i); !fresh && !port.name().empty())
      checker.error(below(field, "name"), "\"{}\" is ports[{}]'s, too", port.name(), first->second);
  }
}

void check_addresses(Checker& checker, const api::ServiceEntry& spec) {
  const bool prefixes = spec.resolution() == api::ServiceEntry::NONE ||
                        spec.resolution() == api::ServiceEntry::STATIC;
  for (int i = 0; i < spec.addresses_size(); ++i) {
    const std::string& address = spec.addresses(i);
    if (!is_ip_or_cidr(address))
      checker.error(at("addresses", i), "\"{}\" is no IP address or CIDR prefix", address);
    else if (address.find('/') != std::string::npos && !prefixes)
      checker.error(at("addresses", i), "a prefix needs resolution NONE or STATIC");
  }
}

void check_endpoints(Checker& checker, const api::ServiceEntry& spec) {
  using Entry = api::ServiceEntry;
  if (spec.has_workload_selector() && spec.endpoints_size() > 0)
    checker.error("endpoints", "cannot stand beside \"workloadSelector\"; choose one");
  if (spec.resolution() == Entry::NONE && spec.endpoints_size() > 0)
    checker.error("endpoints",
                  "have no meaning with resolution NONE (which is the default); write "
                  "resolution: STATIC or DNS, or remove them");
  if (spec.resolution() == Entry::DNS_ROUND_ROBIN && spec.endpoints_size() > 1)
    checker.error("endpoints", "at most one with resolution DNS_ROUND_ROBIN");
  std::set<std::string> names;
  for (const auto& port : spec.ports()) names.insert(port.name());
  for (int i = 0; i < spec.endpoints_size(); ++i) {
    const auto& endpoint = spec.endpoints(i);
    const std::string field = at("endpoints", i);
    check_workload(checker, field, endpoint, true);
    if (endpoint.address().starts_with("unix://")) {
      if (spec.ports_size() != 1)
        checker.error(below(field, "address"), "a unix socket serves exactly one port");
    } else if (spec.resolution() == Entry::STATIC && !endpoint.address().empty() &&
               !is_ip_address(endpoint.address())) {
      checker.error(below(field, "address"),
                    "\"{}\" is no IP address, which resolution STATIC "
                    "needs; write resolution: DNS for names",
                    endpoint.address());
    }
    for (const auto& [name, number] : endpoint.ports())
      if (!names.contains(name))
        checker.error(keyed(below(field, "ports"), name),
                      "the ServiceEntry has no port named \"{}\"", name);
  }
}

}  // namespace

void validate_service_entry(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::ServiceEntry>();
  check_hosts(checker, spec);
  check_addresses(checker, spec);
  check_ports(checker, spec);
  check_endpoints(checker, spec);
  if (spec.has_workload_selector()) check_selector(checker, spec.workload_selector());
  check_export_to(checker, spec.export_to());
}

}  // namespace sennit::mesh

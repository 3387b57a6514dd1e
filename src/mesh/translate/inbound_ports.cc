#include <algorithm>
#include <charconv>
#include <map>

#include "mesh/translate/inbound.h"

namespace sennit::mesh {

namespace {

constexpr const char* kLoopback = "127.0.0.1";

// "127.0.0.1:8080", "unix:///path", or "0.0.0.0:8080" for the workload's own address.
void read_endpoint(const std::string& written, const Proxy& proxy, InboundPort& out) {
  if (written.starts_with("unix://")) {
    out.local_address = written;
    return;
  }
  size_t colon = written.rfind(':');
  out.local_port = out.workload_port;
  out.local_address = kLoopback;
  if (colon == written.npos) return;
  std::from_chars(written.data() + colon + 1, written.data() + written.size(), out.local_port);
  std::string host = written.substr(0, colon);
  if (host == "0.0.0.0" || host == "[::]") {
    out.local_address = proxy.ip;
  } else if (!host.empty()) {
    out.local_address = host;
  }
}

std::vector<InboundPort> of_sidecar(const api::Sidecar& sidecar, const Proxy& proxy,
                                    const std::vector<Mesh::ServiceInstance>& instances) {
  std::vector<InboundPort> out;
  for (const auto& ingress : sidecar.ingress()) {
    InboundPort made;
    made.workload_port = ingress.port().number();
    made.bind_port = made.workload_port;
    made.port = {ingress.port().number(), ingress.port().name(),
                 parse_protocol(ingress.port().protocol()), 0};
    read_endpoint(ingress.default_endpoint(), proxy, made);
    for (const auto& instance : instances) {
      for (const auto& port : instance.service->ports) {
        if (instance.workload->port_of(port) != made.workload_port) continue;
        if (!made.service) made.service = instance.service;
        made.services.push_back(instance.service);
      }
    }
    out.push_back(std::move(made));
  }
  return out;
}

// The ports that `sennit run` was told of and no service names: by the protocol of their name.
void add_unnamed(const Proxy& proxy, std::map<uint32_t, InboundPort>& found) {
  for (const auto& [name, application] : proxy.app_ports) {
    auto facing = proxy.inbound_ports.find(name);
    if (facing == proxy.inbound_ports.end() || found.contains(application)) continue;
    InboundPort made;
    made.port = {application, name, protocol_of_kubernetes_port(name, "", ""), 0};
    made.workload_port = application;
    made.local_address = kLoopback;
    made.local_port = application;
    made.bind_port = facing->second;
    found.emplace(application, std::move(made));
  }
}

}  // namespace

std::vector<InboundPort> inbound_ports(const Mesh& mesh, const Proxy& proxy) {
  if (proxy.type != Proxy::Type::Sidecar || proxy.is_grpc) return {};
  auto instances = mesh.instances_of(proxy);
  auto scope = mesh.scope(proxy);
  if (scope->sidecar != nullptr && !scope->sidecar->ingress().empty()) {
    return of_sidecar(*scope->sidecar, proxy, instances);
  }
  bool direct = proxy.interception == Proxy::Interception::None;
  std::map<uint32_t, InboundPort> found;
  for (const auto& instance : instances) {
    for (const auto& port : instance.service->ports) {
      if (port.protocol == Protocol::Udp) continue;
      uint32_t number = instance.workload->port_of(port);
      uint32_t bind = number;
      if (direct) {
        auto application = proxy.app_ports.find(port.name);
        auto facing = proxy.inbound_ports.find(port.name);
        if (application == proxy.app_ports.end() || facing == proxy.inbound_ports.end()) continue;
        number = application->second;
        bind = facing->second;
      }
      InboundPort& at = found[number];
      if (!at.service) {
        at.service = instance.service;
        at.port = port;
        at.workload_port = number;
        at.bind_port = bind;
        if (direct) {
          at.local_address = kLoopback;
          at.local_port = number;
        }
      }
      if (std::ranges::find(at.services, instance.service) == at.services.end()) {
        at.services.push_back(instance.service);
      }
    }
  }
  if (direct) add_unnamed(proxy, found);
  std::vector<InboundPort> out;
  for (auto& [number, port] : found) out.push_back(std::move(port));
  return out;
}

}  // namespace sennit::mesh

// Services and their endpoints, as the mesh knows them, whatever they were written as (Istio's
// ServiceEntry, Kubernetes' Service). Immutable and shared between snapshots.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/api/resource.h"

namespace sennit::mesh {

using Labels = std::map<std::string, std::string>;

// True when every label of `selector` is in `labels`. An empty selector selects everything.
bool selects(const Labels& selector, const Labels& labels);

// What a port speaks. Auto: not said, so proxies look at the first bytes (Istio: "unsupported").
enum class Protocol { Auto, Http, Http2, Grpc, GrpcWeb, Https, Tls, Tcp, Udp };
// Of `protocol` ("HTTP", "grpc-web", "MySQL"...); an unknown or empty word is Auto.
Protocol parse_protocol(std::string_view word);
// Kubernetes' rule: appProtocol, else the port's name up to the first "-".
Protocol protocol_of_kubernetes_port(std::string_view name, std::string_view protocol,
                                     std::string_view app_protocol);
inline bool is_http(Protocol protocol) {
  return protocol == Protocol::Http || protocol == Protocol::Http2 || protocol == Protocol::Grpc ||
         protocol == Protocol::GrpcWeb;
}
inline bool is_http2(Protocol protocol) {
  return protocol == Protocol::Http2 || protocol == Protocol::Grpc;
}
inline bool is_tls(Protocol protocol) {
  return protocol == Protocol::Https || protocol == Protocol::Tls;
}

struct ServicePort {
  uint32_t number = 0;
  std::string name;
  Protocol protocol = Protocol::Auto;
  uint32_t target_port = 0;  // 0: `number`
  bool operator==(const ServicePort&) const = default;
};

enum class Resolution { Static, Dns, DnsRoundRobin, None };

struct Locality {
  std::string region, zone, sub_zone;
  auto operator<=>(const Locality&) const = default;
};
Locality parse_locality(std::string_view written);  // "region/zone/sub-zone"

// One workload that answers for services.
struct Workload {
  std::string address;                    // IP, DNS name or unix:///path
  std::map<std::string, uint32_t> ports;  // by service port name; others: the service's target port
  Labels labels;
  Locality locality;
  uint32_t weight = 1;
  std::string service_account, namespace_, name, network;
  bool mutual_tls = false;  // there is a sidecar before it that takes Istio's mutual TLS
  // Without interception `ports` are the sidecar's; these are the application's own, which rules
  // for ports (PeerAuthentication.portLevelMtls) speak of. Empty: the same as `ports`.
  std::map<std::string, uint32_t> application_ports;

  // The port where the workload answers for `port`.
  uint32_t port_of(const ServicePort& port) const;
  // The port of its application for `port`.
  uint32_t application_port_of(const ServicePort& port) const;
  // "istio.io" canonical service and revision, from the labels that Istio looks at.
  std::string canonical_name() const, canonical_revision() const;
  bool operator==(const Workload&) const = default;
};
using WorkloadPtr = std::shared_ptr<const Workload>;
using Workloads = std::vector<WorkloadPtr>;

struct Service {
  std::string hostname, namespace_, name;
  std::vector<ServicePort> ports;
  std::vector<std::string> addresses;  // VIPs and CIDR blocks, as written
  std::string auto_address;            // of 240.240.0.0/16, for a service that has none
  Resolution resolution = Resolution::Static;
  bool external = false;    // MESH_EXTERNAL: never mutual TLS by itself
  bool kubernetes = false;  // of the Kubernetes Service kind
  std::vector<std::string> export_to;
  std::vector<std::string> subject_alt_names;
  Labels selector;  // of workloads, in its own namespace
  int64_t creation_time = 0;
  ResourcePtr resource;

  const ServicePort* port(uint32_t number) const;
  bool has_wildcard_host() const { return hostname.starts_with("*"); }
};
using ServicePtr = std::shared_ptr<const Service>;

}  // namespace sennit::mesh

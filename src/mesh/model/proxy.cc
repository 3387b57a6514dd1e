#include "mesh/model/proxy.h"

#include <google/protobuf/struct.pb.h>

#include <charconv>

namespace sennit::mesh {

namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

const Value* member(const Struct& metadata, const char* key) {
  auto found = metadata.fields().find(key);
  return found == metadata.fields().end() ? nullptr : &found->second;
}

std::string text(const Struct& metadata, const char* key) {
  const Value* value = member(metadata, key);
  return value != nullptr && value->has_string_value() ? value->string_value() : std::string();
}

// A port, as a number or as its digits. 0: not a port.
uint16_t port_of(const Value& value) {
  if (value.has_number_value()) {
    double number = value.number_value();
    return number >= 1 && number <= 65535 ? static_cast<uint16_t>(number) : 0;
  }
  uint16_t out = 0;
  const std::string& digits = value.string_value();
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return error == std::errc() && end == digits.data() + digits.size() ? out : 0;
}

Result<std::map<std::string, uint16_t>> ports(const Struct& metadata, const char* key) {
  std::map<std::string, uint16_t> out;
  const Value* value = member(metadata, key);
  if (value == nullptr) return out;
  for (const auto& [name, port] : value->struct_value().fields()) {
    uint16_t number = port_of(port);
    if (number == 0) return fail("node metadata {}: \"{}\" has no port from 1 to 65535", key, name);
    out.emplace(name, number);
  }
  return out;
}

std::vector<std::string> split(std::string_view joined, char by) {
  std::vector<std::string> out;
  while (true) {
    size_t at = joined.find(by);
    out.emplace_back(joined.substr(0, at));
    if (at == joined.npos) return out;
    joined.remove_prefix(at + 1);
  }
}

Status read_id(const std::string& id, Proxy& out) {
  std::vector<std::string> parts = split(id, '~');
  if (parts.size() != 4) {
    return fail("node id \"{}\" is not TYPE~IP~NAME.NAMESPACE~DOMAIN", id);
  }
  if (parts[0] == "router") {
    out.type = Proxy::Type::Router;
  } else if (parts[0] != "sidecar") {
    return fail("node id \"{}\": type \"{}\" is neither sidecar nor router", id, parts[0]);
  }
  out.ip = parts[1];
  size_t dot = parts[2].rfind('.');
  out.workload_name = parts[2].substr(0, dot);
  if (dot != parts[2].npos) out.namespace_ = parts[2].substr(dot + 1);
  out.dns_domain = parts[3];
  return {};
}

void read_extensions(const envoy::config::core::v3::Node& node, Proxy& out) {
  bool ours = node.user_agent_name() == "sennit-proxy";
  out.knows_istio_stats = out.knows_peer_metadata = out.knows_metadata_exchange =
      out.knows_istio_alpn = ours;
  for (const auto& extension : node.extensions()) {
    const std::string& name = extension.name();
    if (name == "istio.stats") out.knows_istio_stats = true;
    if (name == "envoy.filters.http.peer_metadata") out.knows_peer_metadata = true;
    if (name == "istio.metadata_exchange" || name == "envoy.filters.network.metadata_exchange") {
      out.knows_metadata_exchange = true;
    }
    if (name == "istio.alpn") out.knows_istio_alpn = true;
  }
  out.is_grpc = text(node.metadata(), "GENERATOR") == "grpc" ||
                node.user_agent_name().starts_with("gRPC") ||
                node.user_agent_name().starts_with("grpc");
}

Status read_interception(const Struct& metadata, Proxy& out) {
  std::string mode = text(metadata, "INTERCEPTION_MODE");
  if (mode == "TPROXY") out.interception = Proxy::Interception::Tproxy;
  if (mode != "NONE") return {};
  out.interception = Proxy::Interception::None;
  out.loopback_prefix = text(metadata, "LOOPBACK_PREFIX");
  auto inbound = ports(metadata, "INBOUND_PORTS");
  if (!inbound) return std::unexpected(inbound.error());
  auto applications = ports(metadata, "APP_PORTS");
  if (!applications) return std::unexpected(applications.error());
  out.inbound_ports = std::move(*inbound);
  out.app_ports = std::move(*applications);
  if (const Value* port = member(metadata, "HTTP_PROXY_PORT")) {
    out.http_proxy_port = port_of(*port);
  }
  return {};
}

}  // namespace

Result<Proxy> proxy_from_node(const envoy::config::core::v3::Node& node) {
  Proxy out;
  out.id = node.id();
  if (auto status = read_id(node.id(), out); !status) return std::unexpected(status.error());
  const Struct& metadata = node.metadata();
  std::string addresses = text(metadata, "INSTANCE_IPS");
  if (!addresses.empty()) out.ips = split(addresses, ',');
  if (out.ips.empty() && !out.ip.empty()) out.ips.push_back(out.ip);
  if (auto name = text(metadata, "NAMESPACE"); !name.empty()) out.namespace_ = name;
  if (auto name = text(metadata, "WORKLOAD_NAME"); !name.empty()) out.workload_name = name;
  out.service_account = text(metadata, "SERVICE_ACCOUNT");
  out.cluster_id = text(metadata, "CLUSTER_ID");
  out.mesh_id = text(metadata, "MESH_ID");
  out.auto_register_group = text(metadata, "AUTO_REGISTER_GROUP");
  if (const Value* labels = member(metadata, "LABELS")) {
    for (const auto& [key, value] : labels->struct_value().fields()) {
      out.labels[key] = value.string_value();
    }
  }
  out.region = node.locality().region();
  out.zone = node.locality().zone();
  out.sub_zone = node.locality().sub_zone();
  if (out.namespace_.empty()) out.namespace_ = "default";
  if (auto status = read_interception(metadata, out); !status) {
    return std::unexpected(status.error());
  }
  read_extensions(node, out);
  return out;
}

}  // namespace sennit::mesh

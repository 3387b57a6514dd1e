#include "proxy/upstream/host_build.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "proxy/upstream/supported_fields.h"

namespace sennit::proxy {
namespace {

namespace endpoint_v3 = envoy::config::endpoint::v3;
namespace core_v3 = envoy::config::core::v3;

constexpr uint32_t kMaxPriority = 128;  // as Envoy's validation has it
constexpr uint32_t kEdsFlags = Host::kEdsUnhealthy | Host::kEdsDraining | Host::kEdsDegraded;

std::string value_text(const google::protobuf::Value& value) {
  if (value.has_string_value()) return value.string_value();
  if (value.has_bool_value()) return value.bool_value() ? "true" : "false";
  if (value.has_number_value()) return fmt::format("{}", value.number_value());
  return {};
}

std::map<std::string, std::string> metadata_of(const core_v3::Metadata& metadata,
                                               const char* name) {
  std::map<std::string, std::string> result;
  auto found = metadata.filter_metadata().find(name);
  if (found == metadata.filter_metadata().end()) return result;
  for (const auto& [key, value] : found->second.fields()) result[key] = value_text(value);
  return result;
}

uint32_t eds_flags(core_v3::HealthStatus status) {
  switch (status) {
    case core_v3::UNHEALTHY:
    case core_v3::TIMEOUT:
      return Host::kEdsUnhealthy;
    case core_v3::DRAINING:
      return Host::kEdsDraining;
    case core_v3::DEGRADED:
      return Host::kEdsDegraded;
    default:
      return 0;
  }
}

Status read_address(const core_v3::Address& address, const std::string& path, bool allow_names,
                    EndpointTemplate& to) {
  if (address.has_pipe()) {
    auto pipe = net::Address::unix_path(address.pipe().path());
    if (!pipe) return std::unexpected(pipe.error().within(path + ".pipe.path"));
    to.host->address = *pipe;
    return {};
  }
  if (!address.has_socket_address())
    return fail("{}: only socket_address and pipe are supported", path);
  const auto& socket = address.socket_address();
  SENNIT_RETURN_IF_ERROR(
      only_fields(socket, path + ".socket_address", {"protocol", "address", "port_value"}));
  if (socket.port_value() > 65535) {
    return fail("{}.socket_address.port_value: {} is out of range", path, socket.port_value());
  }
  to.port = static_cast<uint16_t>(socket.port_value());
  auto ip = net::Address::ip(socket.address(), to.port);
  if (ip) {
    to.host->address = *ip;
  } else if (allow_names && !socket.address().empty()) {
    to.name = socket.address();
  } else {
    return std::unexpected(ip.error().within(path + ".socket_address.address"));
  }
  return {};
}

Status read_endpoint(const endpoint_v3::LbEndpoint& from, const std::string& path,
                     const ClusterConfig& config, bool allow_names, EndpointTemplate& to) {
  SENNIT_RETURN_IF_ERROR(
      only_fields(from, path, {"endpoint", "health_status", "metadata", "load_balancing_weight"}));
  SENNIT_RETURN_IF_ERROR(only_fields(from.endpoint(), path + ".endpoint", {"address", "hostname"}));
  to.host = std::make_shared<Host>();
  SENNIT_RETURN_IF_ERROR(
      read_address(from.endpoint().address(), path + ".endpoint.address", allow_names, to));
  Host& host = *to.host;
  host.hostname = from.endpoint().hostname().empty() ? to.name : from.endpoint().hostname();
  if (from.has_load_balancing_weight()) {
    if (from.load_balancing_weight().value() == 0) {
      return fail("{}.load_balancing_weight: must be at least 1", path);
    }
    host.weight = from.load_balancing_weight().value();
  }
  host.lb_metadata = metadata_of(from.metadata(), "envoy.lb");
  host.transport_socket_metadata = metadata_of(from.metadata(), "envoy.transport_socket_match");
  host.istio_workload = metadata_of(from.metadata(), "istio")["workload"];
  host.transport_socket_index = config.transport_for(host.transport_socket_metadata);
  host.health_flags = eds_flags(from.health_status());
  return {};
}

bool same_host(const Host& a, const Host& b) {
  return a.hostname == b.hostname && a.locality == b.locality && a.lb_metadata == b.lb_metadata &&
         a.transport_socket_metadata == b.transport_socket_metadata &&
         a.istio_workload == b.istio_workload &&
         a.transport_socket_index == b.transport_socket_index;
}

void inherit(const Host& from, const Host& to) {
  const uint32_t kept = from.health_flags.load() & ~kEdsFlags;
  to.health_flags.fetch_or(kept);
  to.numbers.rq_total = from.numbers.rq_total.load();
  to.numbers.rq_success = from.numbers.rq_success.load();
  to.numbers.rq_error = from.numbers.rq_error.load();
  to.numbers.cx_total = from.numbers.cx_total.load();
  to.numbers.cx_connect_fail = from.numbers.cx_connect_fail.load();
}

}  // namespace

Result<Endpoints> read_assignment(const endpoint_v3::ClusterLoadAssignment& from,
                                  const ClusterConfig& config, bool allow_names) {
  Endpoints result;
  SENNIT_RETURN_IF_ERROR(only_fields(from, "", {"cluster_name", "endpoints", "policy"}));
  SENNIT_RETURN_IF_ERROR(only_fields(from.policy(), "policy", {"overprovisioning_factor"}));
  if (from.policy().has_overprovisioning_factor()) {
    result.overprovisioning_percent = from.policy().overprovisioning_factor().value();
  }
  for (int i = 0; i < from.endpoints_size(); ++i) {
    const auto& group = from.endpoints(i);
    const std::string path = fmt::format("endpoints[{}]", i);
    SENNIT_RETURN_IF_ERROR(
        only_fields(group, path,
                    {"locality", "lb_endpoints", "metadata", "load_balancing_weight", "priority"}));
    if (group.priority() > kMaxPriority) return fail("{}.priority: above {}", path, kMaxPriority);
    const Locality locality{group.locality().region(), group.locality().zone(),
                            group.locality().sub_zone()};
    if (result.locality_weights.size() <= group.priority()) {
      result.locality_weights.resize(group.priority() + 1);
    }
    result.locality_weights[group.priority()][locality] = group.load_balancing_weight().value();
    for (int j = 0; j < group.lb_endpoints_size(); ++j) {
      EndpointTemplate endpoint;
      SENNIT_RETURN_IF_ERROR(read_endpoint(group.lb_endpoints(j),
                                           fmt::format("{}.lb_endpoints[{}]", path, j), config,
                                           allow_names, endpoint));
      endpoint.host->locality = locality;
      endpoint.host->priority = group.priority();
      result.endpoints.push_back(std::move(endpoint));
    }
  }
  return result;
}

HostSet host_set(const Endpoints& endpoints) {
  HostSet set;
  set.locality_weights = endpoints.locality_weights;
  set.overprovisioning_percent = endpoints.overprovisioning_percent;
  std::unordered_set<net::Address> seen;
  for (const auto& endpoint : endpoints.endpoints) {
    const net::Address& address = endpoint.host->address;
    if (address.valid() && seen.insert(address).second) set.hosts.push_back(endpoint.host);
  }
  return set;
}

std::vector<HostPtr> keep_identity(const std::vector<HostPtr>& before, std::vector<HostPtr>& next) {
  std::unordered_map<net::Address, HostPtr> known;
  for (const HostPtr& host : before) known.emplace(host->address, host);
  for (HostPtr& host : next) {
    auto found = known.find(host->address);
    if (found == known.end()) continue;
    const HostPtr old = found->second;
    inherit(*old, *host);
    if (!same_host(*old, *host)) continue;  // `old` goes, its successor knows what it knew
    old->weight = host->weight.load();
    old->priority = host->priority.load();
    const uint32_t eds = host->health_flags.load() & kEdsFlags;
    old->health_flags.fetch_and(~kEdsFlags);
    old->health_flags.fetch_or(eds);
    host = old;
    known.erase(found);
  }
  std::vector<HostPtr> gone;
  for (auto& [address, host] : known) gone.push_back(std::move(host));
  return gone;
}

}  // namespace sennit::proxy

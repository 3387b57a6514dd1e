#include "proxy/config/local_node.h"

#include <initializer_list>

namespace sennit::proxy {
namespace {

std::string metadata_string(const google::protobuf::Struct& metadata, const std::string& key) {
  const auto found = metadata.fields().find(key);
  return found == metadata.fields().end() ? std::string() : found->second.string_value();
}

std::string label(const std::map<std::string, std::string>& labels,
                  std::initializer_list<const char*> names, const std::string& otherwise) {
  for (const char* name : names) {
    const auto found = labels.find(name);
    if (found != labels.end() && !found->second.empty()) return found->second;
  }
  return otherwise;
}

// "sidecar~10.0.0.1~name.ns~ns.svc.cluster.local": Istio's node id names the address, too.
std::string address_in_id(const std::string& id) {
  const size_t begin = id.find('~');
  if (begin == std::string::npos) return {};
  const size_t end = id.find('~', begin + 1);
  return end == std::string::npos ? std::string() : id.substr(begin + 1, end - begin - 1);
}

}  // namespace

std::string LocalNode::canonical_name() const {
  return label(labels, {"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"},
               workload_name);
}

std::string LocalNode::canonical_revision() const {
  return label(labels,
               {"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"},
               "latest");
}

LocalNode make_local_node(const envoy::config::core::v3::Node& node) {
  LocalNode local;
  local.node = node;
  // Control planes look at this to know which of Istio's own filters the proxy has.
  local.node.set_user_agent_name("sennit-proxy");
  local.node.set_user_agent_version(SENNIT_VERSION);
  local.id = node.id();
  local.cluster = node.cluster();
  const auto& metadata = node.metadata();
  local.workload_name = metadata_string(metadata, "WORKLOAD_NAME");
  local.namespace_ = metadata_string(metadata, "NAMESPACE");
  local.cluster_id = metadata_string(metadata, "CLUSTER_ID");
  local.mesh_id = metadata_string(metadata, "MESH_ID");
  local.service_account = metadata_string(metadata, "SERVICE_ACCOUNT");
  local.trust_domain = metadata_string(metadata, "TRUST_DOMAIN");
  local.instance_ip = metadata_string(metadata, "INSTANCE_IPS");
  local.instance_ip.resize(std::min(local.instance_ip.find(','), local.instance_ip.size()));
  if (local.instance_ip.empty()) local.instance_ip = address_in_id(local.id);
  const auto found = metadata.fields().find("LABELS");
  if (found != metadata.fields().end()) {
    for (const auto& [name, value] : found->second.struct_value().fields()) {
      local.labels[name] = value.string_value();
    }
  }
  return local;
}

}  // namespace sennit::proxy

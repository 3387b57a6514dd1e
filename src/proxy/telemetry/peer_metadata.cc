#include "proxy/telemetry/peer_metadata.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <unordered_map>

#include "proxy/config/local_node.h"
#include "proxy/telemetry/base64.h"

namespace sennit::proxy {
namespace {

constexpr std::string_view kCanonicalName = "service.istio.io/canonical-name";
constexpr std::string_view kCanonicalRevision = "service.istio.io/canonical-revision";
constexpr size_t kMaxCachedPeers = 1024;       // workloads that one worker hears from
constexpr size_t kMaxHeaderBytes = 16 * 1024;  // a peer's labels are few; more is not one of ours

void set(google::protobuf::Struct& fields, std::string_view key, const std::string& value) {
  if (!value.empty()) (*fields.mutable_fields())[std::string(key)].set_string_value(value);
}

std::string get(const google::protobuf::Struct& fields, const char* key) {
  const auto found = fields.fields().find(key);
  return found == fields.fields().end() ? std::string() : found->second.string_value();
}

std::string label(const PeerMetadata& peer, std::string_view key) {
  const auto found = peer.labels.find(std::string(key));
  return found == peer.labels.end() ? std::string() : found->second;
}

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

}  // namespace

PeerMetadata local_peer_metadata(const LocalNode& node) {
  PeerMetadata peer;
  peer.workload = node.workload_name;
  peer.namespace_ = node.namespace_;
  peer.cluster = node.cluster_id;
  peer.labels = node.labels;
  peer.app = label(peer, "app");
  peer.version = label(peer, "version");
  peer.canonical_name = node.canonical_name();
  peer.canonical_revision = node.canonical_revision();
  return peer;
}

google::protobuf::Struct peer_metadata_struct(const PeerMetadata& peer,
                                              std::string_view instance_name) {
  google::protobuf::Struct fields;
  set(fields, "NAME", std::string(instance_name));
  set(fields, "NAMESPACE", peer.namespace_);
  set(fields, "WORKLOAD_NAME", peer.workload);
  set(fields, "CLUSTER_ID", peer.cluster);
  google::protobuf::Struct labels;
  set(labels, kCanonicalName, peer.canonical_name);
  set(labels, kCanonicalRevision, peer.canonical_revision);
  set(labels, "app", peer.app);
  set(labels, "version", peer.version);
  if (labels.fields_size() > 0)
    *(*fields.mutable_fields())["LABELS"].mutable_struct_value() = labels;
  return fields;
}

PeerMetadata peer_metadata_from_struct(const google::protobuf::Struct& fields) {
  PeerMetadata peer;
  peer.namespace_ = get(fields, "NAMESPACE");
  peer.workload = get(fields, "WORKLOAD_NAME");
  peer.cluster = get(fields, "CLUSTER_ID");
  const auto labels = fields.fields().find("LABELS");
  if (labels != fields.fields().end()) {
    for (const auto& [key, value] : labels->second.struct_value().fields()) {
      peer.labels[key] = value.string_value();
    }
  }
  peer.app = label(peer, "app");
  peer.version = label(peer, "version");
  peer.canonical_name = label(peer, kCanonicalName);
  if (peer.canonical_name.empty())
    peer.canonical_name = peer.app.empty() ? peer.workload : peer.app;
  peer.canonical_revision = label(peer, kCanonicalRevision);
  if (peer.canonical_revision.empty()) {
    peer.canonical_revision = peer.version.empty() ? "latest" : peer.version;
  }
  return peer;
}

std::string encode_peer_metadata(const PeerMetadata& peer, std::string_view instance_name) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    peer_metadata_struct(peer, instance_name).SerializeToCodedStream(&coded);
  }
  return base64_encode(bytes);
}

std::shared_ptr<const PeerMetadata> decode_peer_metadata(std::string_view header) {
  thread_local std::unordered_map<std::string, std::shared_ptr<const PeerMetadata>, StringHash,
                                  std::equal_to<>>
      cache;
  if (const auto found = cache.find(header); found != cache.end()) return found->second;
  if (header.size() > kMaxHeaderBytes) return nullptr;
  const auto bytes = base64_decode(header);
  google::protobuf::Struct fields;
  if (!bytes || !fields.ParseFromString(*bytes)) return nullptr;
  auto peer = std::make_shared<const PeerMetadata>(peer_metadata_from_struct(fields));
  if (cache.size() >= kMaxCachedPeers) cache.clear();
  cache.emplace(header, peer);
  return peer;
}

PeerMetadata peer_metadata_from_workload(std::string_view workload) {
  PeerMetadata peer;
  std::string* const fields[] = {&peer.workload, &peer.namespace_, &peer.canonical_name,
                                 &peer.canonical_revision, &peer.cluster};
  for (std::string* field : fields) {
    const size_t end = workload.find(';');
    *field = workload.substr(0, end);
    if (end == std::string_view::npos) break;
    workload.remove_prefix(end + 1);
  }
  return peer;
}

}  // namespace sennit::proxy

#include "mesh/translate/common.h"

#include <envoy/config/core/v3/base.pb.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <udpa/type/v1/typed_struct.pb.h>

#include <cctype>
#include <charconv>

namespace sennit::mesh {

std::string deterministic_bytes(const google::protobuf::Message& message) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return out;
}

google::protobuf::Any pack(const google::protobuf::Message& message) {
  google::protobuf::Any any;
  any.set_type_url("type.googleapis.com/" + message.GetDescriptor()->full_name());
  any.set_value(deterministic_bytes(message));
  return any;
}

XdsResource make_resource(std::string name, const google::protobuf::Message& message) {
  auto bytes = std::make_shared<const std::string>(deterministic_bytes(message));
  uint64_t hash = xds::content_hash(*bytes);
  return {std::move(name), std::move(bytes), hash};
}

google::protobuf::Any pack_typed_struct(std::string_view type_url, google::protobuf::Struct value) {
  udpa::type::v1::TypedStruct typed;
  typed.set_type_url("type.googleapis.com/" + std::string(type_url));
  *typed.mutable_value() = std::move(value);
  return pack(typed);
}

std::string outbound_cluster(uint32_t port, std::string_view subset, std::string_view host) {
  return fmt::format("outbound|{}|{}|{}", port, subset, host);
}

std::string inbound_cluster(uint32_t port) {
  return fmt::format("inbound|{}||", port);
}

bool parse_outbound_cluster(std::string_view name, OutboundName& out) {
  constexpr std::string_view kDirection = "outbound|";
  if (!name.starts_with(kDirection)) return false;
  name.remove_prefix(kDirection.size());
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.port);
  size_t digits = static_cast<size_t>(end - name.data());
  if (error != std::errc() || digits == name.size() || name[digits] != '|') return false;
  name.remove_prefix(digits + 1);
  size_t bar = name.find('|');
  if (bar == name.npos) return false;
  out.subset = name.substr(0, bar);
  out.host = name.substr(bar + 1);
  return true;
}

google::protobuf::Duration seconds(int64_t whole) {
  google::protobuf::Duration out;
  out.set_seconds(whole);
  return out;
}

envoy::config::core::v3::Address socket_address(std::string_view ip, uint32_t port) {
  envoy::config::core::v3::Address out;
  constexpr std::string_view kPipe = "unix://";
  if (ip.starts_with(kPipe)) {
    out.mutable_pipe()->set_path(std::string(ip.substr(kPipe.size())));
    return out;
  }
  out.mutable_socket_address()->set_address(std::string(ip));
  out.mutable_socket_address()->set_port_value(port);
  return out;
}

envoy::config::core::v3::ConfigSource ads_source() {
  envoy::config::core::v3::ConfigSource out;
  out.mutable_ads();
  *out.mutable_initial_fetch_timeout() = seconds(0);
  out.set_resource_api_version(envoy::config::core::v3::V3);
  return out;
}

std::string config_path(const Resource& resource) {
  std::string kind;
  for (char c : resource.kind) {
    if (std::isupper(static_cast<unsigned char>(c)) && !kind.empty()) kind += '-';
    kind += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return fmt::format("/apis/{}/namespaces/{}/{}/{}", resource.api_version, resource.namespace_,
                     kind, resource.name);
}

void set_istio_config(envoy::config::core::v3::Metadata& metadata, const Resource& resource) {
  auto& istio = (*metadata.mutable_filter_metadata())["istio"];
  (*istio.mutable_fields())["config"] = string_value(config_path(resource));
}

google::protobuf::Value string_value(std::string_view text) {
  google::protobuf::Value out;
  out.set_string_value(std::string(text));
  return out;
}

google::protobuf::Value bool_value(bool value) {
  google::protobuf::Value out;
  out.set_bool_value(value);
  return out;
}

}  // namespace sennit::mesh

// Small makers of xDS parts that every file of this room uses.
#pragma once

#include <envoy/config/core/v3/address.pb.h>
#include <envoy/config/core/v3/config_source.pb.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <string>
#include <string_view>

#include "mesh/translate/translate.h"

namespace sennit::mesh {

inline constexpr std::string_view kBlackHoleCluster = "BlackHoleCluster";
inline constexpr std::string_view kPassthroughCluster = "PassthroughCluster";
inline constexpr std::string_view kInboundPassthroughCluster = "InboundPassthroughCluster";
inline constexpr uint32_t kOutboundPort = 15001, kInboundPort = 15006;

// The same message always gives the same bytes (maps are sorted).
std::string deterministic_bytes(const google::protobuf::Message& message);
google::protobuf::Any pack(const google::protobuf::Message& message);
XdsResource make_resource(std::string name, const google::protobuf::Message& message);
// An Any that holds a TypedStruct, for filters that have no proto of their own.
google::protobuf::Any pack_typed_struct(std::string_view type_url, google::protobuf::Struct value);

// "outbound|80|v1|reviews.default.svc.cluster.local"
std::string outbound_cluster(uint32_t port, std::string_view subset, std::string_view host);
// "inbound|8080||"
std::string inbound_cluster(uint32_t port);
// The parts of an outbound cluster's name.
struct OutboundName {
  uint32_t port = 0;
  std::string subset, host;
};
// False when `name` is not an outbound cluster's name.
bool parse_outbound_cluster(std::string_view name, OutboundName& out);

google::protobuf::Duration seconds(int64_t whole);
envoy::config::core::v3::Address socket_address(std::string_view ip, uint32_t port);
envoy::config::core::v3::ConfigSource ads_source();
// "/apis/networking.istio.io/v1/namespaces/NS/destination-rule/NAME": where a part came from, as
// Istio writes it into metadata.
std::string config_path(const Resource& resource);
void set_istio_config(envoy::config::core::v3::Metadata& metadata, const Resource& resource);
google::protobuf::Value string_value(std::string_view text);
google::protobuf::Value bool_value(bool value);

}  // namespace sennit::mesh

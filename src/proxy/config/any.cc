#include "proxy/config/any.h"

#include <google/protobuf/util/json_util.h>
#include <udpa/type/v1/typed_struct.pb.h>
#include <xds/type/v3/typed_struct.pb.h>

#include <memory>

#include "proxy/config/yaml.h"

namespace sennit::proxy {
namespace {

Result<google::protobuf::Any> from_struct(const std::string& type_url,
                                          const google::protobuf::Struct& value) {
  const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
      type_url.substr(type_url.rfind('/') + 1));
  if (!type) return fail("unknown type URL \"{}\" in a TypedStruct", type_url);
  std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  auto json = to_json(value, false);
  if (!json) return std::unexpected(json.error());
  auto parsed = parse_yaml_into(*json, type_url, *message);
  if (!parsed) return std::unexpected(parsed.error());
  google::protobuf::Any any;
  any.PackFrom(*message);
  return any;
}

template <typename TypedStruct>
Result<google::protobuf::Any> unwrap(const google::protobuf::Any& any) {
  TypedStruct typed;
  if (!any.UnpackTo(&typed)) return fail("does not parse as {}", any.type_url());
  return from_struct(typed.type_url(), typed.value());
}

}  // namespace

Result<google::protobuf::Any> unwrap_typed_struct(const google::protobuf::Any& any) {
  if (any.Is<udpa::type::v1::TypedStruct>()) return unwrap<udpa::type::v1::TypedStruct>(any);
  if (any.Is<xds::type::v3::TypedStruct>()) return unwrap<xds::type::v3::TypedStruct>(any);
  return any;
}

Status unpack_into(const google::protobuf::Any& any, google::protobuf::Message& message) {
  auto concrete = unwrap_typed_struct(any);
  if (!concrete) return std::unexpected(concrete.error());
  if (!concrete->UnpackTo(&message)) {
    return fail("\"{}\" is not a valid {}", concrete->type_url(),
                message.GetDescriptor()->full_name());
  }
  return {};
}

}  // namespace sennit::proxy

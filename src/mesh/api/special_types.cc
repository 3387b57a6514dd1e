#include "mesh/api/special_types.h"

#include <fmt/format.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/struct.pb.h>

#include "mesh/api/duration.h"
#include "mesh/api/istio/service.pb.h"

namespace sennit::mesh {
namespace {

void fill(const YamlNode& node, google::protobuf::Value& value) {
  if (node.is_sequence()) {
    auto* list = value.mutable_list_value();
    for (const YamlNode& item : node.items) fill(item, *list->add_values());
    return;
  }
  if (node.is_mapping()) {
    auto& fields = *value.mutable_struct_value()->mutable_fields();
    for (size_t i = 0; i + 1 < node.items.size(); i += 2)
      fill(node.items[i + 1], fields[node.items[i].text]);
    return;
  }
  switch (node.type()) {
    case YamlNode::Type::Null:
      value.set_null_value(google::protobuf::NULL_VALUE);
      break;
    case YamlNode::Type::Boolean:
      value.set_bool_value(*yaml_boolean(node));
      break;
    case YamlNode::Type::Integer:
    case YamlNode::Type::Float:
      value.set_number_value(*yaml_number(node));
      break;
    case YamlNode::Type::String:
      value.set_string_value(node.text);
      break;
  }
}

}  // namespace

std::string decode_duration(const YamlNode& value, google::protobuf::Message& message) {
  constexpr std::string_view kExamples = "write it as \"1.5s\", \"100ms\" or \"1h30m\"";
  if (!value.is_scalar() || (value.type() != YamlNode::Type::String && value.text != "0"))
    return fmt::format("must be a duration, not {}; {}", value.description(), kExamples);
  const auto duration = parse_duration(value.text);
  if (!duration) return fmt::format("\"{}\" is not a duration; {}", value.text, kExamples);
  static_cast<google::protobuf::Duration&>(message) = to_proto(*duration);
  return "";
}

std::string decode_struct(const YamlNode& value, google::protobuf::Message& message) {
  if (!value.is_mapping()) return fmt::format("must be a mapping, not {}", value.description());
  google::protobuf::Value whole;
  fill(value, whole);
  static_cast<google::protobuf::Struct&>(message).Swap(whole.mutable_struct_value());
  return "";
}

std::string decode_int_or_string(const YamlNode& value, google::protobuf::Message& message) {
  auto& target = static_cast<istio::v1::IntOrString&>(message);
  if (!value.is_scalar())
    return fmt::format("must be a number or a name, not {}", value.description());
  if (const auto number = yaml_integer(value); number && *number >= 0 && *number <= INT32_MAX) {
    target.set_number(static_cast<int32_t>(*number));
    return "";
  }
  if (value.type() != YamlNode::Type::String)
    return fmt::format("must be a number or a name, not {}", value.description());
  target.set_name(value.text);
  return "";
}

bool decode_base64(std::string_view text, std::string& bytes) {
  while (text.ends_with('=')) text.remove_suffix(1);
  uint32_t buffer = 0;
  int bits = 0;
  for (char c : text) {
    uint32_t digit = 0;
    if (c >= 'A' && c <= 'Z')
      digit = static_cast<uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      digit = static_cast<uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9')
      digit = static_cast<uint32_t>(c - '0' + 52);
    else if (c == '+' || c == '-')
      digit = 62;
    else if (c == '/' || c == '_')
      digit = 63;
    else
      return false;
    buffer = buffer << 6 | digit;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(buffer >> bits & 0xFF);
  }
  return text.size() % 4 != 1;
}

}  // namespace sennit::mesh

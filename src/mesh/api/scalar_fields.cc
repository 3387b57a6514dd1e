// FieldDecoder's scalars: numbers, booleans, texts, enums.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>

#include "mesh/api/field_decoder.h"
#include "mesh/api/special_types.h"

namespace sennit::mesh {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

struct Range {
  int64_t low, high;
};
Range range_of(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return {INT32_MIN, INT32_MAX};
    case FieldDescriptor::CPPTYPE_UINT32:
      return {0, UINT32_MAX};
    case FieldDescriptor::CPPTYPE_UINT64:
      return {0, INT64_MAX};
    default:
      return {INT64_MIN, INT64_MAX};
  }
}

void store_integer(Message& message, const FieldDescriptor* field, int64_t value) {
  const auto* reflection = message.GetReflection();
  const bool list = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      const auto narrow = static_cast<int32_t>(value);
      list ? reflection->AddInt32(&message, field, narrow)
           : reflection->SetInt32(&message, field, narrow);
      break;
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      const auto narrow = static_cast<uint32_t>(value);
      list ? reflection->AddUInt32(&message, field, narrow)
           : reflection->SetUInt32(&message, field, narrow);
      break;
    }
    case FieldDescriptor::CPPTYPE_UINT64:
      reflection->SetUInt64(&message, field, static_cast<uint64_t>(value));
      break;
    default:
      reflection->SetInt64(&message, field, value);
      break;
  }
}

// A quoted number or boolean is a text: say so.
std::string_view quoting_hint(const YamlNode& value) {
  if (!value.is_scalar() || value.plain) return "";
  YamlNode bare = value;
  bare.plain = true;
  return bare.type() == YamlNode::Type::String ? "" : "; remove the quotes";
}

}  // namespace

std::optional<std::string> FieldDecoder::text(const YamlNode& node, const std::string& path) {
  if (node.is_scalar() && node.type() == YamlNode::Type::String) return node.text;
  if (!node.is_scalar() || node.is_null()) {
    error(node, path, fmt::format("must be a text, not {}", node.description()));
  } else {
    error(node, path,
          fmt::format("must be a text, but YAML reads {} here; write \"{}\" in quotes",
                      node.description(), node.text));
  }
  return std::nullopt;
}

bool FieldDecoder::decode_scalar(const YamlNode& at, const YamlNode& value, const Field* field,
                                 Message& message, const std::string& path) {
  const auto* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case Field::CPPTYPE_STRING:
      return decode_text(at, value, field, message, path);
    case Field::CPPTYPE_BOOL: {
      const auto boolean = yaml_boolean(value);
      if (boolean) {
        reflection->SetBool(&message, field, *boolean);
        return true;
      }
      error(
          at, path,
          fmt::format("must be true or false, not {}{}", value.description(), quoting_hint(value)));
      return false;
    }
    case Field::CPPTYPE_DOUBLE: {
      const auto number = yaml_number(value);
      if (number) {
        reflection->SetDouble(&message, field, *number);
        return true;
      }
      error(at, path,
            fmt::format("must be a number, not {}{}", value.description(), quoting_hint(value)));
      return false;
    }
    default:
      return decode_integer(at, value, field, message, path);
  }
}

bool FieldDecoder::decode_integer(const YamlNode& at, const YamlNode& value, const Field* field,
                                  Message& message, const std::string& path) {
  const auto number = yaml_integer(value);
  if (!number) {
    error(
        at, path,
        fmt::format("must be a whole number, not {}{}", value.description(), quoting_hint(value)));
    return false;
  }
  const auto [low, high] = range_of(field);
  if (*number < low || *number > high) {
    error(at, path, fmt::format("{} is out of range; it must be {} to {}", *number, low, high));
    return false;
  }
  store_integer(message, field, *number);
  return true;
}

bool FieldDecoder::decode_text(const YamlNode& at, const YamlNode& value, const Field* field,
                               Message& message, const std::string& path) {
  YamlNode located = value;
  located.line = at.line;
  located.column = at.column;
  auto decoded = text(located, path);
  if (!decoded) return false;
  if (field->type() == Field::TYPE_BYTES) {
    std::string bytes;
    if (!decode_base64(*decoded, bytes)) {
      error(at, path, "is not base64");
      return false;
    }
    decoded = std::move(bytes);
  }
  const auto* reflection = message.GetReflection();
  field->is_repeated() ? reflection->AddString(&message, field, std::move(*decoded))
                       : reflection->SetString(&message, field, std::move(*decoded));
  return true;
}

bool FieldDecoder::decode_enum(const YamlNode& at, const YamlNode& value, const Field* field,
                               Message& message, const std::string& path) {
  const auto* type = field->enum_type();
  const auto* chosen = value.is_scalar() ? type->FindValueByName(value.text) : nullptr;
  if (chosen) {
    const auto* reflection = message.GetReflection();
    field->is_repeated() ? reflection->AddEnum(&message, field, chosen)
                         : reflection->SetEnum(&message, field, chosen);
    return true;
  }
  std::vector<std::string_view> names;
  for (int i = 0; i < type->value_count(); ++i) names.push_back(type->value(i)->name());
  const std::string nearest = value.is_scalar() ? nearest_word(value.text, names) : "";
  error(at, path,
        fmt::format("must be one of {}; not {}{}", fmt::join(names, ", "), value.description(),
                    nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest)));
  return false;
}

}  // namespace sennit::mesh

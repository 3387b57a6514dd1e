#include "mesh/api/field_decoder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mesh/api/special_types.h"

namespace sennit::mesh {
namespace {

using google::protobuf::Message;

std::string joined(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

}  // namespace

void FieldDecoder::report(Diagnostic::Level level, const YamlNode& at, const std::string& path,
                          std::string message) {
  diagnostics_.push_back(Diagnostic{level, Origin{file_, at.line, at.column}, resource_, path,
                                    std::move(message), ""});
}

void FieldDecoder::decode(const YamlNode& node, Message& message, const std::string& path) {
  if (node.is_null()) return;
  if (!node.is_mapping())
    return error(node, path, fmt::format("must be a mapping, not {}", node.description()));
  const MessageSchema& schema = schema_of(message.GetDescriptor());
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const YamlNode& key = node.items[i];
    const std::string field_path = joined(path, key.text);
    if (const FieldSchema* field = schema.find(key.text)) {
      decode_field(key, node.items[i + 1], *field, message, field_path);
    } else {
      unknown_field(key, schema, field_path);
    }
  }
}

void FieldDecoder::unknown_field(const YamlNode& key, const MessageSchema& schema,
                                 const std::string& path) {
  const std::string nearest = schema.nearest(key.text);
  if (!nearest.empty())
    return error(key, path, fmt::format("there is no such field; did you mean \"{}\"?", nearest));
  std::vector<std::string_view> names;
  for (const FieldSchema& field : schema.fields()) names.push_back(field.name);
  error(key, path,
        fmt::format("there is no such field; here can stand: {}", fmt::join(names, ", ")));
}

void FieldDecoder::decode_field(const YamlNode& key, const YamlNode& value,
                                const FieldSchema& schema, Message& message,
                                const std::string& path) {
  if (value.is_null()) return;  // as if it had not been written
  positions_.emplace(path, std::pair(key.line, key.column));
  warn_of_status(key, schema, path);
  const bool outer = std::exchange(inside_refused_, inside_refused_ || schema.refused);
  if (schema.shape == FieldSchema::Shape::Map) {
    decode_map(key, value, schema.field, message, path);
  } else if (schema.field->is_repeated()) {
    decode_list(key, value, schema, message, path);
  } else if (oneof_is_free(key, schema.field, message, path)) {
    decode_value(key, value, schema.field, message, path);
  }
  inside_refused_ = outer;
}

void FieldDecoder::warn_of_status(const YamlNode& key, const FieldSchema& schema,
                                  const std::string& path) {
  if (schema.refused && !inside_refused_)
    warning(key, path, "is not in force: Sennit reads and checks it, but does not act on it yet");
  if (!schema.deprecated_for.empty())
    warning(key, path, fmt::format("is deprecated; write {} instead", schema.deprecated_for));
}

bool FieldDecoder::oneof_is_free(const YamlNode& key, const Field* field, const Message& message,
                                 const std::string& path) {
  const auto* group = field->real_containing_oneof();
  if (!group || !message.GetReflection()->HasOneof(message, group)) return true;
  const Field* other = message.GetReflection()->GetOneofFieldDescriptor(message, group);
  error(key, path,
        fmt::format("only one of \"{}\" and \"{}\" can be set; remove one", other->json_name(),
                    field->json_name()));
  return false;
}

void FieldDecoder::decode_list(const YamlNode& key, const YamlNode& value,
                               const FieldSchema& schema, Message& message,
                               const std::string& path) {
  if (!value.is_sequence())
    return error(key, path, fmt::format("must be a list, not {}", value.description()));
  for (size_t i = 0; i < value.items.size(); ++i) {
    const YamlNode& item = value.items[i];
    const std::string item_path = fmt::format("{}[{}]", path, i);
    positions_.emplace(item_path, std::pair(item.line, item.column));
    if (item.is_null()) {
      error(item, item_path, "is empty; write a value or remove the dash");
      continue;
    }
    decode_value(item, item, schema.field, message, item_path);
  }
}

void FieldDecoder::decode_map(const YamlNode& key, const YamlNode& value, const Field* field,
                              Message& message, const std::string& path) {
  if (!value.is_mapping())
    return error(key, path, fmt::format("must be a mapping, not {}", value.description()));
  const auto* entry_type = field->message_type();
  for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
    const YamlNode& entry_key = value.items[i];
    const std::string entry_path = fmt::format("{}[{}]", path, entry_key.text);
    positions_.emplace(entry_path, std::pair(entry_key.line, entry_key.column));
    Message* entry = message.GetReflection()->AddMessage(&message, field);
    const bool key_good = decode_map_key(entry_key, entry_type->map_key(), *entry, entry_path);
    const YamlNode& item = value.items[i + 1];
    // "x-user:" with nothing behind it is the empty value: for a header match that is "present".
    const bool empty =
        item.is_null() && shape_of(entry_type->map_value()) == FieldSchema::Shape::Message;
    const bool value_good =
        empty || decode_value(entry_key, item, entry_type->map_value(), *entry, entry_path);
    if (!key_good || !value_good) message.GetReflection()->RemoveLast(&message, field);
  }
}

bool FieldDecoder::decode_map_key(const YamlNode& key, const Field* field, Message& entry,
                                  const std::string& path) {
  if (field->cpp_type() == Field::CPPTYPE_STRING) {
    if (key.type() == YamlNode::Type::Boolean) {
      error(key, path,
            fmt::format("YAML reads this key as a boolean; write \"{}\" in quotes", key.text));
      return false;
    }
    entry.GetReflection()->SetString(&entry, field, key.text);
    return true;
  }
  YamlNode number = key;
  number.plain = true;  // "8080" in quotes is as good: JSON has no other keys
  return decode_integer(key, number, field, entry, path);
}

bool FieldDecoder::decode_value(const YamlNode& at, const YamlNode& value, const Field* field,
                                Message& message, const std::string& path) {
  switch (shape_of(field)) {
    case FieldSchema::Shape::Enum:
      return decode_enum(at, value, field, message, path);
    case FieldSchema::Shape::Scalar:
      return decode_scalar(at, value, field, message, path);
    default:
      return decode_submessage(at, value, field, message, path);
  }
}

bool FieldDecoder::decode_submessage(const YamlNode& at, const YamlNode& value, const Field* field,
                                     Message& message, const std::string& path) {
  const auto* reflection = message.GetReflection();
  Message* inner = field->is_repeated() ? reflection->AddMessage(&message, field)
                                        : reflection->MutableMessage(&message, field);
  std::string problem;
  switch (shape_of(field)) {
    case FieldSchema::Shape::Duration:
      problem = decode_duration(value, *inner);
      break;
    case FieldSchema::Shape::Struct:
      problem = decode_struct(value, *inner);
      break;
    case FieldSchema::Shape::IntOrString:
      problem = decode_int_or_string(value, *inner);
      break;
    default:
      if (value.is_mapping()) {
        const int before = errors_;
        decode(value, *inner, path);
        return errors_ == before;
      }
      problem = fmt::format("must be a mapping, not {}", value.description());
  }
  if (problem.empty()) return true;
  error(at, path, std::move(problem));
  return false;
}

std::map<std::string, std::string> FieldDecoder::text_map(const YamlNode& node,
                                                          const std::string& path) {
  std::map<std::string, std::string> result;
  if (node.is_null()) return result;
  if (!node.is_mapping()) {
    error(node, path, fmt::format("must be a mapping, not {}", node.description()));
    return result;
  }
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const YamlNode& key = node.items[i];
    const YamlNode& item = node.items[i + 1];
    const std::string entry_path = fmt::format("{}[{}]", path, key.text);
    if (item.is_null()) {
      result.emplace(key.text, "");
    } else if (auto value = text(item, entry_path)) {
      result.emplace(key.text, std::move(*value));
    }
  }
  return result;
}

}  // namespace sennit::mesh

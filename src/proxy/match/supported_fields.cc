#include "proxy/match/supported_fields.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include <vector>

namespace sennit::proxy {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string child_path(const std::string& path, const FieldDescriptor& field) {
  return path.empty() ? field.name() : path + "." + field.name();
}

// What to call one entry: its index, or the key where the field is a map.
std::string entry_path(const std::string& path, const FieldDescriptor& field, const Message& entry,
                       int index) {
  if (!field.is_map()) return fmt::format("{}[{}]", path, index);
  const auto* key = entry.GetDescriptor()->map_key();
  if (key->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return fmt::format("{}[{}]", path, index);
  return fmt::format("{}[{}]", path, entry.GetReflection()->GetString(entry, key));
}

Status check_children(const Message& message, const FieldDescriptor& field,
                      const SupportedFields& table, const std::string& path) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return {};
  const auto* reflection = message.GetReflection();
  if (!field.is_repeated()) {
    return refuse_unsupported(reflection->GetMessage(message, &field), table, path);
  }
  for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
    const Message& entry = reflection->GetRepeatedMessage(message, &field, i);
    auto ok = refuse_unsupported(entry, table, entry_path(path, field, entry, i));
    if (!ok) return ok;
  }
  return {};
}

}  // namespace

Status refuse_unsupported(const Message& message, const SupportedFields& table,
                          const std::string& path) {
  const auto* reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  if (!unknown.empty()) {
    return fail("{}: field number {} of {} is not known", path.empty() ? "(root)" : path,
                unknown.field(0).number(), message.GetDescriptor()->full_name());
  }
  const auto entry = table.find(message.GetDescriptor()->full_name());
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    const std::string field_path = child_path(path, *field);
    if (entry != table.end() && !entry->second.contains(field->name())) {
      return fail("{}: is not supported", field_path);
    }
    auto ok = check_children(message, *field, table, field_path);
    if (!ok) return ok;
  }
  return {};
}

}  // namespace sennit::proxy

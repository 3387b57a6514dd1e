#include "proxy/upstream/supported_fields.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <vector>

namespace sennit::proxy {

std::string join_path(std::string_view path, std::string_view field) {
  if (path.empty()) return std::string(field);
  return fmt::format("{}.{}", path, field);
}

Status only_fields(const google::protobuf::Message& message, std::string_view path,
                   std::initializer_list<std::string_view> supported) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (std::find(supported.begin(), supported.end(), field->name()) == supported.end()) {
      return fail("{}: not supported", join_path(path, field->name()));
    }
  }
  if (!reflection->GetUnknownFields(message).empty()) {
    return fail("{}: has a field (number {}) that this version does not know",
                path.empty() ? std::string_view(message.GetDescriptor()->name()) : path,
                reflection->GetUnknownFields(message).field(0).number());
  }
  return {};
}

}  // namespace sennit::proxy

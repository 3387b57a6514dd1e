#include "mesh/api/api_support.h"

#include <algorithm>
#include <tuple>

#include "mesh/api/kinds.h"
#include "mesh/api/schema.h"

namespace sennit::mesh {
namespace {

class Walker {
 public:
  explicit Walker(std::vector<FieldSupport>& result) : result_(result) {}

  void walk(const google::protobuf::Descriptor* message, const std::string& prefix, bool works) {
    for (const FieldSchema& field : schema_of(message).fields()) {
      add(field, prefix + field.name, works && !field.refused);
      if (!field.alias.empty()) add(field, prefix + field.alias, works && !field.refused);
    }
  }

 private:
  void add(const FieldSchema& field, std::string path, bool works) {
    const google::protobuf::FieldDescriptor* value = field.field;
    if (field.shape == FieldSchema::Shape::Map) {
      value = value->message_type()->map_value();
      path += "{}";
    } else if (value->is_repeated()) {
      path += "[]";
    }
    result_.push_back(FieldSupport{"", path, works});
    if (shape_of(value) == FieldSchema::Shape::Message)
      walk(value->message_type(), path + ".", works);
  }

  std::vector<FieldSupport>& result_;
};

}  // namespace

std::vector<FieldSupport> fields_of(const google::protobuf::Descriptor* descriptor, bool in_force) {
  std::vector<FieldSupport> fields;
  Walker(fields).walk(descriptor, "", in_force);
  return fields;
}

std::vector<FieldSupport> api_support() {
  std::vector<FieldSupport> result;
  for (const Kind& kind : all_kinds()) {
    if (kind.group.empty()) continue;  // Kubernetes' Service is no kind of Istio's
    for (FieldSupport& field : fields_of(kind.prototype->GetDescriptor(), kind.in_force)) {
      field.kind = kind.name;
      result.push_back(std::move(field));
    }
  }
  std::ranges::sort(result, {}, [](const FieldSupport& f) { return std::tie(f.kind, f.path); });
  return result;
}

}  // namespace sennit::mesh

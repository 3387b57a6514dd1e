#include "mesh/api/schema.h"

#include <algorithm>
#include <cctype>

#include "mesh/api/istio/mesh_config.pb.h"
#include "mesh/api/istio/options.pb.h"
#include "mesh/api/kinds.h"

namespace sennit::mesh {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Schemas = std::unordered_map<const Descriptor*, MessageSchema>;

void collect(const Descriptor* descriptor, Schemas& schemas) {
  if (schemas.contains(descriptor)) return;
  const MessageSchema& schema = schemas.emplace(descriptor, descriptor).first->second;
  std::vector<const Descriptor*> below;
  for (const FieldSchema& field : schema.fields()) {
    const FieldDescriptor* value =
        field.field->is_map() ? field.field->message_type()->map_value() : field.field;
    if (shape_of(value) == FieldSchema::Shape::Message) below.push_back(value->message_type());
  }
  for (const Descriptor* next : below) collect(next, schemas);
}

Schemas make_schemas() {
  Schemas schemas;
  for (const Kind& kind : all_kinds()) collect(kind.prototype->GetDescriptor(), schemas);
  collect(istio::v1::MeshConfig::descriptor(), schemas);
  return schemas;
}

// Levenshtein's distance; upper and lower case are the same.
size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = std::tolower(static_cast<unsigned char>(a[i - 1])) ==
                        std::tolower(static_cast<unsigned char>(b[j - 1]));
      const size_t replaced = diagonal + (same ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

FieldSchema::Shape shape_of(const FieldDescriptor* field) {
  using Shape = FieldSchema::Shape;
  if (field->is_map()) return Shape::Map;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) return Shape::Enum;
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return Shape::Scalar;
  const std::string& type = field->message_type()->full_name();
  if (type == "google.protobuf.Duration") return Shape::Duration;
  if (type == "google.protobuf.Struct") return Shape::Struct;
  if (type == "sennit.istio.v1.IntOrString") return Shape::IntOrString;
  return Shape::Message;
}

MessageSchema::MessageSchema(const Descriptor* descriptor) {
  fields_.reserve(static_cast<size_t>(descriptor->field_count()));
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    const auto& options = field->options();
    fields_.push_back(FieldSchema{field, field->json_name(), options.GetExtension(istio::v1::alias),
                                  shape_of(field), options.GetExtension(istio::v1::refused),
                                  options.GetExtension(istio::v1::inert),
                                  options.GetExtension(istio::v1::deprecated_for)});
  }
  for (size_t i = 0; i < fields_.size(); ++i) {
    by_name_.emplace(fields_[i].name, i);
    if (!fields_[i].alias.empty()) by_name_.emplace(fields_[i].alias, i);
  }
}

const FieldSchema* MessageSchema::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &fields_[found->second];
}

std::string MessageSchema::nearest(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const FieldSchema& field : fields_) names.push_back(field.name);
  return nearest_word(name, names);
}

const MessageSchema& schema_of(const Descriptor* descriptor) {
  static const Schemas schemas = make_schemas();
  return schemas.at(descriptor);
}

std::string nearest_word(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr size_t kLongestWord = 64;  // longer ones are not typing slips
  if (word.size() > kLongestWord) return "";
  const size_t allowed = std::max<size_t>(1, word.size() / 3);
  std::string_view best;
  size_t best_edits = allowed + 1;
  for (std::string_view candidate : candidates) {
    const size_t edits = edits_between(word, candidate);
    if (edits >= best_edits) continue;
    best = candidate;
    best_edits = edits;
  }
  return std::string(best);
}

}  // namespace sennit::mesh

// What may be written in a message, by the names of YAML: read off the descriptors of istio/*.proto
// and their options once, then shared by the decoder and by api_support().
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sennit::mesh {

struct FieldSchema {
  enum class Shape { Scalar, Enum, Message, Map, Duration, Struct, IntOrString };

  const google::protobuf::FieldDescriptor* field = nullptr;
  std::string name;             // "perTryTimeout"
  std::string alias;            // a second spelling, usually empty
  Shape shape = Shape::Scalar;  // of one item, where the field is a list
  bool refused = false, inert = false;
  std::string deprecated_for;
};

class MessageSchema {
 public:
  explicit MessageSchema(const google::protobuf::Descriptor* descriptor);

  const FieldSchema* find(std::string_view name) const;
  const std::vector<FieldSchema>& fields() const { return fields_; }
  // The name nearest to one that is not there; empty where none is near.
  std::string nearest(std::string_view name) const;

 private:
  std::vector<FieldSchema> fields_;
  std::unordered_map<std::string_view, size_t> by_name_;
};

// The shape of a field's single value (a map's value, a list's item).
FieldSchema::Shape shape_of(const google::protobuf::FieldDescriptor* field);

// Known for every message that a kind or MeshConfig can reach; made at the first call. Thread-safe.
const MessageSchema& schema_of(const google::protobuf::Descriptor* descriptor);

// The candidate nearest to a word, by edits, where they are few for its length; else empty.
std::string nearest_word(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace sennit::mesh

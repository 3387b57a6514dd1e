// What of Istio's API is in force, field by field: `sennit api-support`. Read off the same schema
// that the decoder uses.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

namespace sennit::mesh {

struct FieldSupport {
  std::string kind;
  std::string path;  // below spec; "[]" marks a list, "{}" a map: "http[].match[].headers{}.exact"
  bool works = false;
  std::string_view status() const { return works ? "works" : "refused"; }
};

// Every field of every Istio kind, ordered by kind and path.
std::vector<FieldSupport> api_support();

// Every field of one message; the kind is empty.
std::vector<FieldSupport> fields_of(const google::protobuf::Descriptor* descriptor, bool in_force);

}  // namespace sennit::mesh

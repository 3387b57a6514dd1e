#include <algorithm>
#include <cctype>

#include "mesh/translate/route_context.h"

namespace sennit::mesh {

namespace {

using envoy::config::core::v3::HeaderValueOption;
using Options = google::protobuf::RepeatedPtrField<HeaderValueOption>;
using Operations = api::Headers::HeaderOperations;

bool is_authority(const std::string& name) {
  return name == ":authority" ||
         std::ranges::equal(name, std::string_view("host"),
                            [](unsigned char a, char b) { return std::tolower(a) == b; });
}

void add_all(const google::protobuf::Map<std::string, std::string>& from, bool overwrite,
             Options& out) {
  std::map<std::string, std::string> sorted(from.begin(), from.end());
  for (const auto& [name, value] : sorted) {
    if (overwrite && is_authority(name)) continue;
    auto* option = out.Add();
    option->mutable_header()->set_key(name);
    option->mutable_header()->set_value(value);
    option->set_append_action(overwrite ? HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD
                                        : HeaderValueOption::APPEND_IF_EXISTS_OR_ADD);
  }
}

void add_operations(const Operations& operations, Options& add,
                    google::protobuf::RepeatedPtrField<std::string>& remove) {
  add_all(operations.set(), true, add);
  add_all(operations.add(), false, add);
  remove.MergeFrom(operations.remove());
}

}  // namespace

std::string add_header_operations(
    const api::Headers& headers, Options& request_add,
    google::protobuf::RepeatedPtrField<std::string>& request_remove, Options& response_add,
    google::protobuf::RepeatedPtrField<std::string>& response_remove) {
  add_operations(headers.request(), request_add, request_remove);
  add_operations(headers.response(), response_add, response_remove);
  std::string authority;
  for (const auto& [name, value] : headers.request().set()) {
    if (is_authority(name)) authority = value;
  }
  return authority;
}

}  // namespace sennit::mesh

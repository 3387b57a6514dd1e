// Configuration text into protobuf messages, as Envoy reads it: YAML or JSON (which is YAML), field
// names in snake_case or camelCase, Any by "@type". Strict: a field that the message does not have,
// and a type URL that is not linked in, are errors that say where:
//
//   bootstrap.yaml:14:5: static_resources.clusters[0].typo: no such field in
//   envoy.config.cluster.v3.Cluster
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace sennit::proxy {

// Deeper nesting is refused (libprotobuf's own JSON parser stops at 100).
inline constexpr int kMaxYamlDepth = 90;

// `source` (a file's name) begins each error. The message is merged into, not cleared.
Status parse_yaml_into(std::string_view text, const std::string& source,
                       google::protobuf::Message& message);

// The message as protobuf JSON with snake_case names, as Envoy's admin endpoints print it. An Any
// whose type is not linked in makes it an error.
Result<std::string> to_json(const google::protobuf::Message& message, bool pretty = true,
                            bool with_defaults = false);

}  // namespace sennit::proxy

// One configuration object as the control plane holds it: an Istio or Kubernetes resource, decoded
// and validated, with where it came from. Immutable and shared.
#pragma once

#include <google/protobuf/message.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace sennit::mesh {

// Where something was written. Files: path with line and column (from 1). Other sources put their
// own words into `file` ("kubernetes:UID@resourceVersion") and leave the numbers 0.
struct Origin {
  std::string file;
  int line = 0;
  int column = 0;
  std::string to_string() const;  // "mesh/reviews.yaml:14:9"
};

struct Resource {
  std::string api_version, kind;
  std::string namespace_, name;
  std::map<std::string, std::string> labels, annotations;
  // Orders resources where Istio looks at creationTimestamp ("the oldest wins"): seconds, from
  // metadata.creationTimestamp or 0; ties are broken by namespace and name.
  int64_t creation_time = 0;
  Origin origin;
  // The spec: a message of src/mesh/api/*.proto, whose type is fixed by `kind`.
  std::shared_ptr<const google::protobuf::Message> spec;
  // Where each spec field was written: "http[0].route[1].destination.host" → position. Looking up
  // a path that was not written gives its nearest written parent.
  std::shared_ptr<const std::map<std::string, std::pair<int, int>>> positions;

  Origin origin_of(std::string_view field_path) const;
  // "VirtualService default/reviews"
  std::string display_name() const;

  template <typename Spec>
  const Spec& as() const {
    return static_cast<const Spec&>(*spec);
  }
};

using ResourcePtr = std::shared_ptr<const Resource>;

// Names a resource. Ordered by kind, namespace, name.
struct ResourceKey {
  std::string kind, namespace_, name;
  auto operator<=>(const ResourceKey&) const = default;
  std::string display_name() const;  // as Resource::display_name()
};
ResourceKey key_of(const Resource& resource);

// A message about configuration. Errors keep the resource out of force (the last good version goes
// on serving); warnings do not.
struct Diagnostic {
  enum class Level { Error, Warning, Info } level = Level::Error;
  Origin origin;
  std::string resource;    // display_name(), may be empty
  std::string field_path;  // may be empty
  std::string message;     // what is wrong and how to mend it
  std::string code;        // Istio's analyzer code where one fits ("IST0101"), else empty
  // "file:line:col: VirtualService default/reviews: path: message"; where it is not an error,
  // "warning: " or "info: " stands before the resource; a code follows in brackets.
  std::string to_string() const;
};

}  // namespace sennit::mesh

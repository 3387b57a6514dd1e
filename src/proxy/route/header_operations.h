// What a level of the route configuration does to headers: *_headers_to_remove, then
// *_headers_to_add with their append actions and %FORMATTED% values. Compiled once; immutable.
#pragma once

#include <envoy/config/core/v3/base.pb.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/stream/stream_info.h"
#include "proxy/telemetry/access_log.h"

namespace sennit::proxy {

class HeaderOperations {
 public:
  using Additions = google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>;
  using Removals = google::protobuf::RepeatedPtrField<std::string>;

  // nullptr where there is nothing to do. `what` ("request_headers") begins the fields' names in
  // errors ("request_headers_to_add[1].header.value: ..."). Pseudo-fields and host may be
  // overwritten but neither removed nor appended to.
  static Result<std::shared_ptr<const HeaderOperations>> create(const Additions& additions,
                                                                const Removals& removals,
                                                                std::string_view what);
  // `headers` is changed; the values are formatted from `info`, `request` and `response`, any of
  // which may be the same map. A value that comes out empty adds nothing, unless kept.
  void apply(http::HeaderMap& headers, const StreamInfo& info, const http::HeaderMap* request,
             const http::HeaderMap* response) const;

  static Result<std::shared_ptr<const HeaderOperations>> create_one(
      const envoy::config::core::v3::HeaderValueOption& addition);

 private:
  enum class Action : uint8_t { Append, AddIfAbsent, Overwrite, OverwriteIfExists };
  struct Name {
    http::HeaderId id = http::HeaderId::None;
    std::string text;
  };
  struct Addition {
    Name name;
    Action action = Action::Append;
    std::string value;                           // where there is nothing to format
    std::shared_ptr<const Formatter> formatter;  // else
    bool keep_empty = false;
  };
  static Name make_name(std::string_view name);
  static Result<Addition> make_addition(const envoy::config::core::v3::HeaderValueOption& option);
  static void apply_addition(const Addition& addition, http::HeaderMap& headers,
                             const StreamInfo& info, const http::HeaderMap* request,
                             const http::HeaderMap* response);

  std::vector<Name> removals_;
  std::vector<Addition> additions_;  // overwriting ones first, as Envoy applies them
};

}  // namespace sennit::proxy

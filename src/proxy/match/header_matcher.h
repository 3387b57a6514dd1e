// envoy.config.route.v3.HeaderMatcher, compiled; used by routes, RBAC, faults and access logs.
// Immutable; any thread.
//
// A field that is repeated matches if any one of its values does (as Envoy 1.40 does). An absent
// field matches no value matcher, so with `invert_match` it matches. `host` means `:authority`.
#pragma once

#include <envoy/config/route/v3/route_components.pb.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/match/string_matcher.h"

namespace sennit::proxy {

class HeaderMatcher {
 public:
  static Result<HeaderMatcher> create(const envoy::config::route::v3::HeaderMatcher& config);
  bool matches(const http::HeaderMap& headers) const;

 private:
  enum class Kind : uint8_t { Present, Absent, String, Range };
  bool any_value_matches(const http::HeaderMap& headers) const;
  bool value_matches(std::string_view value) const;

  http::HeaderId id_ = http::HeaderId::None;
  std::string name_;
  Kind kind_ = Kind::Present;
  bool invert_ = false;
  bool missing_is_empty_ = false;
  StringMatcher string_;
  int64_t range_start_ = 0, range_end_ = 0;  // [start, end)
};

// Errors name the element: "headers[2]: ...".
Result<std::vector<HeaderMatcher>> make_header_matchers(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::HeaderMatcher>& configs,
    std::string_view field_name);
bool all_match(const std::vector<HeaderMatcher>& matchers, const http::HeaderMap& headers);

}  // namespace sennit::proxy

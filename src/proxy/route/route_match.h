// envoy.config.route.v3.RouteMatch, compiled: a path rule, then what else must hold. Path rules
// see the path without its query. Immutable; any thread.
#pragma once

#include <envoy/config/route/v3/route_components.pb.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/match/fraction.h"
#include "proxy/match/header_matcher.h"
#include "proxy/match/string_matcher.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

class RouteMatch {
 public:
  static Result<RouteMatch> create(const envoy::config::route::v3::RouteMatch& config);

  // `path` and `query` are the parts of the request's :path (split once per request).
  bool matches(const http::HeaderMap& headers, std::string_view path, std::string_view query,
               const StreamInfo& info, uint64_t random) const;
  // How much of a matched path a prefix rewrite replaces; SIZE_MAX: all.
  size_t rewritten_length() const;

 private:
  enum class PathKind : uint8_t { Prefix, Exact, Separated, Regex, Connect };
  struct QueryMatch {
    std::string name;
    std::optional<StringMatcher> value;  // none: presence
    bool present = true;
  };

  Status set_path(const envoy::config::route::v3::RouteMatch& config);
  Status set_query(const envoy::config::route::v3::RouteMatch& config);
  bool path_matches(const http::HeaderMap& headers, std::string_view path) const;
  bool query_matches(std::string_view query) const;
  bool tls_matches(const StreamInfo& info) const;

  PathKind path_kind_ = PathKind::Prefix;
  bool case_sensitive_ = true;
  bool grpc_only_ = false;
  std::string path_;
  std::optional<StringMatcher> regex_;
  std::vector<HeaderMatcher> headers_;
  std::vector<QueryMatch> query_;
  std::optional<Fraction> fraction_;
  std::optional<bool> tls_presented_, tls_validated_;
};

}  // namespace sennit::proxy

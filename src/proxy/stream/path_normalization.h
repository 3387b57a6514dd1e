// Rewrites :path so that routing, policy and the upstream see one spelling of it (RFC 3986 §6.2.2;
// Envoy: normalize_path, merge_slashes, path_with_escaped_slashes_action). The query is untouched.
#pragma once

#include <string>
#include <string_view>

#include "proxy/stream/hcm_settings.h"

namespace sennit::proxy {

enum class PathVerdict : uint8_t {
  Unchanged,
  Changed,   // `out` holds the new path
  Redirect,  // escaped slashes were found and the client is to ask again with `out` (307)
  Reject,    // 400 path_normalization_failed
};

// Dot segments are resolved, escaped unreserved characters decoded, backslashes become slashes, a
// fragment is cut off. An escaped NUL is rejected. One scan and no allocation where nothing is to
// be done.
PathVerdict normalize_path(std::string_view path, const HcmSettings& settings, std::string& out);

}  // namespace sennit::proxy

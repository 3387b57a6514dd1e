// Tells HTTP from other protocols by a connection's first bytes, as Envoy's http_inspector does.
#pragma once

#include <string_view>

#include "proxy/listener/client_hello.h"

namespace sennit::proxy {

// A request line that has not ended by then is not HTTP/1 to the inspector.
inline constexpr size_t kMaxInspectedRequestLine = 8 * 1024;

// Found: `protocol` is "http/1.0", "http/1.1" or "h2c", as filter chains match on it.
Inspection inspect_http(std::string_view bytes, std::string_view& protocol);

}  // namespace sennit::proxy

// Bounds of what one request may make the proxy hold.
#pragma once

#include <cstddef>

namespace sennit::proxy::limits {

// Body held while a filter thinks or an upstream connection is made; then the client is slowed
// down. Envoy's per_connection_buffer_limit_bytes default.
inline constexpr size_t kHeldBodyBytes = 1024 * 1024;

// A mirrored request whose upstream is slower than the client is given up beyond this much.
inline constexpr size_t kMirrorBodyBytes = 1024 * 1024;

// Hosts remembered for the previous_hosts predicate. More attempts than that are not made in
// earnest.
inline constexpr size_t kAttemptedHosts = 16;

}  // namespace sennit::proxy::limits

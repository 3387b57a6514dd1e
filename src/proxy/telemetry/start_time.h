// %START_TIME(...)%: strftime with Envoy's extensions: %f (nine digits of the second's fraction),
// %1f to %9f, %s (seconds since 1970), always UTC. The calendar part of the last second is kept
// per thread, so that a busy worker formats it once a second.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sennit::proxy {

inline constexpr std::string_view kDefaultStartTime = "%Y-%m-%dT%H:%M:%S.%3fZ";

Status check_start_time(std::string_view pattern);
void append_start_time(std::string& out, const std::string& pattern,
                       std::chrono::system_clock::time_point time);

}  // namespace sennit::proxy

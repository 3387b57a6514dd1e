// Durations as Istio writes them: Go's, "1h30m", "1.5s", "100ms", "0".
#pragma once

#include <google/protobuf/duration.pb.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sennit::mesh {

// Nothing where the text is no duration, or one beyond what nanoseconds in 64 bits hold (292
// years).
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

google::protobuf::Duration to_proto(std::chrono::nanoseconds duration);
std::chrono::nanoseconds to_nanoseconds(const google::protobuf::Duration& duration);
std::string duration_text(std::chrono::nanoseconds duration);  // "1.5s"

}  // namespace sennit::mesh

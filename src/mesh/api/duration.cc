#include "mesh/api/duration.h"

#include <fmt/format.h>

#include <cmath>

namespace sennit::mesh {
namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
// Longer names first, so that "ms" is not read as "m".
constexpr Unit kUnits[] = {{"ns", 1},   {"us", 1e3}, {"\xC2\xB5s", 1e3}, {"\xCE\xBCs", 1e3},
                           {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};

// Cuts a decimal number off the front.
std::optional<double> take_number(std::string_view& text) {
  double value = 0, scale = 1;
  bool digits = false, fraction = false;
  while (!text.empty() && (text[0] == '.' || (text[0] >= '0' && text[0] <= '9'))) {
    if (text[0] == '.') {
      if (fraction) return std::nullopt;
      fraction = true;
    } else {
      digits = true;
      value = value * 10 + (text[0] - '0');
      if (fraction) scale *= 10;
    }
    text.remove_prefix(1);
  }
  if (!digits) return std::nullopt;
  return value / scale;
}

std::optional<double> take_unit(std::string_view& text) {
  for (const Unit& unit : kUnits) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return unit.nanoseconds;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto value = take_number(text);
    if (!value) return std::nullopt;
    const auto unit = take_unit(text);
    if (!unit) return std::nullopt;
    total += *value * *unit;
  }
  if (!(total < 9.2e18)) return std::nullopt;
  const int64_t count = std::llround(total);
  return std::chrono::nanoseconds(negative ? -count : count);
}

google::protobuf::Duration to_proto(std::chrono::nanoseconds duration) {
  google::protobuf::Duration result;
  result.set_seconds(duration.count() / 1'000'000'000);
  result.set_nanos(static_cast<int32_t>(duration.count() % 1'000'000'000));
  return result;
}

std::chrono::nanoseconds to_nanoseconds(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

std::string duration_text(std::chrono::nanoseconds duration) {
  return fmt::format("{}s", static_cast<double>(duration.count()) / 1e9);
}

}  // namespace sennit::mesh

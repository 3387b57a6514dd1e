// What RFC 9110 and RFC 3986 let stand in names, values, targets and hosts. Everything above and
// below checks by these, so that what HTTP/2 lets in can be written as HTTP/1 without a surprise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sennit::http {

// The lower-case form of a token character (RFC 9110 §5.6.2); 0 for all other bytes.
extern const std::array<char, 256> kTokenLower;

inline char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
bool equal_ignoring_case(std::string_view text, std::string_view lower_case);

bool is_token(std::string_view text);   // not empty
bool is_target(std::string_view text);  // not empty, only visible ASCII
// reg-name, IPv4 or bracketed IPv6 with an optional ":port" (1 to 5 digits); no userinfo.
bool is_authority(std::string_view text);
// The offset of the first byte that no field value may hold (controls but HTAB, and DEL), or
// text.size().
size_t find_control(std::string_view text);
inline bool is_field_value(std::string_view text) {
  return find_control(text) == text.size();
}
std::string_view trim_whitespace(std::string_view text);  // SP and HTAB at both ends
// Only digits, and no overflow. "" and "+1" are none.
std::optional<uint64_t> parse_decimal(std::string_view text);

// Calls `each(element)` for the elements of a comma-separated list, trimmed; empty ones skipped.
template <typename Function>
void for_each_element(std::string_view list, Function&& each) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view element = trim_whitespace(list.substr(0, comma));
    if (!element.empty()) each(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace sennit::http

#include "proxy/match/field_path.h"

#include <cctype>

namespace sennit::proxy {
namespace {

// "safe_regex: ...", "headers[2].name: ...", "typed_per_filter_config[a.b]: ...".
bool begins_with_field(std::string_view message) {
  bool in_brackets = false;
  size_t at = 0;
  for (; at < message.size(); ++at) {
    const char c = message[at];
    if (in_brackets) {
      in_brackets = c != ']';
    } else if (c == '[') {
      in_brackets = true;
    } else if (!std::islower(static_cast<unsigned char>(c)) &&
               !std::isdigit(static_cast<unsigned char>(c)) && c != '_' && c != '.') {
      break;
    }
  }
  return at > 0 && message.substr(at).starts_with(": ");
}

}  // namespace

Error in_field(const Error& error, std::string_view path) {
  return Error{
      fmt::format("{}{}{}", path, begins_with_field(error.message) ? "." : ": ", error.message)};
}

}  // namespace sennit::proxy

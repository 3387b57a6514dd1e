// Base64 (RFC 4648 §4), as metadata exchange headers carry it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sennit::proxy {

std::string base64_encode(std::string_view bytes);
// Padding may be left out. nullopt for anything that is not base64.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace sennit::proxy

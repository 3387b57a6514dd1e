// Joins the path of a field to an error that came from within it: "match" and "safe_regex: ..."
// give "match.safe_regex: ..."; where the error names no field, "match: ...".
#pragma once

#include <string_view>

#include "base/result.h"

namespace sennit::proxy {
Error in_field(const Error& error, std::string_view path);
}

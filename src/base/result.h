// How errors travel: as values. An `Error` says what went wrong, where, and what to do, in words
// for a person; a `Result<T>` is a T or an Error. Exceptions are not used on the data path.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace sennit {

struct Error {
  std::string message;

  // The same error, told from further out: "listener a: filter chain 0: ...".
  Error within(std::string_view where) const {
    return Error{fmt::format("{}: {}", where, message)};
  }
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

// return fail("port {} is out of range", port);
template <typename... Args>
std::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace sennit

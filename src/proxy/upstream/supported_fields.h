// Refusing what we do not support: every field of an xDS message is either named here by the code
// that reads it, or an error that names its full path when it is set. Main thread.
#pragma once

#include <google/protobuf/message.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sennit::proxy {

// An error, "PATH.field: not supported", for the first field that is set in `message` and not in
// `supported`. An empty `path` gives just the field's name.
Status only_fields(const google::protobuf::Message& message, std::string_view path,
                   std::initializer_list<std::string_view> supported);

// "a.b" out of "a" and "b"; "b" where `path` is empty.
std::string join_path(std::string_view path, std::string_view field);

}  // namespace sennit::proxy

// Returns the error of a Status expression from the calling function.
#define SENNIT_RETURN_IF_ERROR(expression)                                              \
  do {                                                                                  \
    if (auto status_ = (expression); !status_) return std::unexpected(status_.error()); \
  } while (0)

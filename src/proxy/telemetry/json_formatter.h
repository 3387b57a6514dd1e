// json_format of access logs: a google.protobuf.Struct whose string values are format strings. A
// value that is one operator keeps its type (numbers) and is null where it is not known; with
// `strings_only` (the deprecated json_format) everything is a string and "-" stands for unknown.
// Keys come out sorted; each line ends in a newline.
#pragma once

#include <google/protobuf/struct.pb.h>

#include <memory>

#include "base/result.h"
#include "proxy/telemetry/access_log.h"

namespace sennit::proxy {

struct JsonOptions {
  bool strings_only = false;
  bool omit_empty = false;  // leaves out what is not known
};
Result<std::shared_ptr<const Formatter>> make_json_formatter(const google::protobuf::Struct& format,
                                                             JsonOptions options);

}  // namespace sennit::proxy

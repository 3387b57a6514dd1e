// Refuses what we do not carry out. A configuration message is walked once when it is built: every
// field that is set must be in the table of its message, or the whole configuration is refused with
// the field's full path ("virtual_hosts[1].routes[0].route.rate_limits: is not supported").
// Messages that have no entry in the table (durations, wrappers, matchers) are taken whole.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/result.h"

namespace sennit::proxy {

// By full message name ("envoy.config.route.v3.Route"): the fields that we carry out.
using SupportedFields = std::unordered_map<std::string_view, std::unordered_set<std::string_view>>;

// `path` prefixes the messages; empty at the root. Fields unknown to our protos are refused too.
Status refuse_unsupported(const google::protobuf::Message& message, const SupportedFields& table,
                          const std::string& path = "");

}  // namespace sennit::proxy

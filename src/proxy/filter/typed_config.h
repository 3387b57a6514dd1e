// What every filter does first: unpack its configuration and refuse what it does not carry out.
#pragma once

#include <google/protobuf/any.pb.h>

#include "base/result.h"
#include "proxy/match/supported_fields.h"

namespace sennit::proxy {

template <typename Config>
Result<Config> unpack_config(const google::protobuf::Any& any,
                             const SupportedFields& supported = {}) {
  Config config;
  if (!any.UnpackTo(&config)) return fail("does not parse as {}", any.type_url());
  if (auto ok = refuse_unsupported(config, supported); !ok) return std::unexpected(ok.error());
  return config;
}

}  // namespace sennit::proxy

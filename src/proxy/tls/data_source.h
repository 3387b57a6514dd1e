// envoy.config.core.v3.DataSource: bytes given inline, by a file or by an environment variable.
#pragma once

#include <envoy/config/core/v3/base.pb.h>

#include <string>

#include "base/result.h"

namespace sennit::proxy {

// Reads it now. An absent source is the empty string; an error names the file or variable.
Result<std::string> read_data_source(const envoy::config::core::v3::DataSource& source);

}  // namespace sennit::proxy

// envoy.config.route.v3.RetryPolicy, compiled.
#pragma once

#include <envoy/config/route/v3/route_components.pb.h>

#include <memory>

#include "base/result.h"
#include "proxy/route/route_table.h"

namespace sennit::proxy {

// nullptr where it has no effect: no retry_on that we know and no per-try timeout.
Result<std::shared_ptr<const RetryPolicy>> make_retry_policy(
    const envoy::config::route::v3::RetryPolicy& config);

}  // namespace sennit::proxy

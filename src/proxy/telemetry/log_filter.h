// envoy.config.accesslog.v3.AccessLogFilter, compiled: which requests are logged.
#pragma once

#include <envoy/config/accesslog/v3/accesslog.pb.h>

#include <memory>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

class LogFilter {
 public:
  // Supported: status_code, duration, not_health_check, runtime, and, or, header, response_flag
  // and grpc_status filters; others are refused by name.
  static Result<std::unique_ptr<const LogFilter>> create(
      const envoy::config::accesslog::v3::AccessLogFilter& config);
  virtual ~LogFilter() = default;
  virtual bool passes(const StreamInfo& info, const http::HeaderMap* request) const = 0;
};

}  // namespace sennit::proxy

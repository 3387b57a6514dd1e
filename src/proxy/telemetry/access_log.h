// Access logs: a format compiled once to a list of operators, evaluated when a request or a TCP
// connection ends, written by a background thread so that no worker waits for a disk.
#pragma once

#include <envoy/config/accesslog/v3/accesslog.pb.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

class AccessLog {
 public:
  virtual ~AccessLog() = default;
  // `request`, `response`, `trailers` may be nullptr (TCP). Never blocks: lines beyond the queue's
  // bound are dropped and counted.
  virtual void log(const StreamInfo& info, const http::HeaderMap* request,
                   const http::HeaderMap* response, const http::HeaderMap* trailers) const = 0;
};

// File and stdout/stderr loggers with text_format(_source), json_format and filters. Any thread.
Result<std::shared_ptr<const AccessLog>> make_access_log(
    const envoy::config::accesslog::v3::AccessLog& config);

// Writes out everything queued; for shutdown and tests. Reopens files (SIGUSR1).
void flush_access_logs();
void reopen_access_logs();
// Lines that were dropped because a queue was full, since start.
uint64_t dropped_access_log_lines();

// Evaluates one format string ("%REQ(x-a)% %PROTOCOL%") outside access logs: header operations,
// local reply bodies. What is not known prints as "-", or as nothing with MissingValue::Omit.
// The operators are those of Envoy's access log documentation; one that is not supported is
// refused by name. See format_operators.h for the list.
enum class MissingValue : uint8_t { Dash, Omit };
class Formatter {
 public:
  static Result<std::shared_ptr<const Formatter>> create(std::string_view format,
                                                         MissingValue missing = MissingValue::Dash);
  virtual ~Formatter() = default;
  virtual void format(std::string& out, const StreamInfo& info, const http::HeaderMap* request,
                      const http::HeaderMap* response, const http::HeaderMap* trailers) const = 0;
};

}  // namespace sennit::proxy

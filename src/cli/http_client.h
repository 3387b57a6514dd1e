// Small blocking HTTP calls of the command line: to the control plane's HTTP port and to proxies'
// admin ports. Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "base/result.h"

namespace sennit::cli {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// `base` is "HOST:PORT". An error means that no answer came (with what to do about it).
Result<HttpAnswer> http_get(const std::string& base, const std::string& path,
                            std::chrono::milliseconds timeout = std::chrono::seconds(3));
Result<HttpAnswer> http_post(const std::string& base, const std::string& path,
                             const std::string& body,
                             const std::map<std::string, std::string>& headers = {},
                             std::chrono::milliseconds timeout = std::chrono::seconds(10));

}  // namespace sennit::cli

// Which timeouts bind one request, from its route and, for trusted callers, its headers; and the
// rewriting of its host.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "http/header_map.h"
#include "proxy/route/route_table.h"

namespace sennit::proxy {

struct RequestTimeouts {
  std::chrono::milliseconds global{0};   // from the end of the request; zero: none
  std::chrono::milliseconds per_try{0};  // the same, for each attempt
  std::chrono::milliseconds per_try_idle{0};
  // In the place of the connection manager's; zero: none.
  std::optional<std::chrono::milliseconds> stream_duration;
};

// `internal`: x-envoy-upstream-rq-timeout-ms and -per-try-timeout-ms are the caller's to set.
RequestTimeouts request_timeouts(const Route& route, const http::HeaderMap& request, bool is_grpc,
                                 bool internal);

// The shorter of two timeouts where zero means none.
std::chrono::milliseconds shorter_timeout(std::chrono::milliseconds a, std::chrono::milliseconds b);

// "10S", "100m", ... (gRPC over HTTP/2, Timeout); none where it is not valid.
std::optional<std::chrono::milliseconds> parse_grpc_timeout(std::string_view text);

// Sets :authority, keeping the old one in x-forwarded-host and x-envoy-original-host as asked.
void rewrite_host(http::HeaderMap& request, std::string_view host, const Route& route,
                  bool keep_original);

}  // namespace sennit::proxy

#include "proxy/stream/request_timeouts.h"

#include <charconv>
#include <string>

namespace sennit::proxy {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultTimeout{15'000};  // Envoy's

std::optional<milliseconds> header_milliseconds(const http::HeaderMap& request,
                                                std::string_view name) {
  const auto text = request.get(name);
  if (!text) return std::nullopt;
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return milliseconds(value);
}

}  // namespace

milliseconds shorter_timeout(milliseconds a, milliseconds b) {
  if (a.count() == 0) return b;
  if (b.count() == 0) return a;
  return std::min(a, b);
}

std::optional<milliseconds> parse_grpc_timeout(std::string_view text) {
  constexpr size_t kMaxDigits = 8;
  if (text.size() < 2 || text.size() > kMaxDigits + 1) return std::nullopt;
  uint64_t value = 0;
  const char* digits_end = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data(), digits_end, value);
  if (error != std::errc() || end != digits_end) return std::nullopt;
  switch (text.back()) {
    case 'H':
      return milliseconds(value * 3'600'000);
    case 'M':
      return milliseconds(value * 60'000);
    case 'S':
      return milliseconds(value * 1'000);
    case 'm':
      return milliseconds(value);
    case 'u':
      return milliseconds((value + 999) / 1'000);  // never early
    case 'n':
      return milliseconds((value + 999'999) / 1'000'000);
    default:
      return std::nullopt;
  }
}

namespace {

// Less an offset that leaves room for the answer to travel.
milliseconds less(milliseconds timeout, milliseconds offset) {
  return offset < timeout ? timeout - offset : timeout;
}

// max_grpc_timeout: the client's grpc-timeout, bounded. None was sent: no limit, but for the bound.
milliseconds grpc_route_timeout(const Route& route, std::optional<milliseconds> asked) {
  const milliseconds timeout = less(asked.value_or(milliseconds(0)), route.grpc_timeout_offset);
  return shorter_timeout(timeout, *route.max_grpc_timeout);
}

}  // namespace

RequestTimeouts request_timeouts(const Route& route, const http::HeaderMap& request, bool is_grpc,
                                 bool internal) {
  RequestTimeouts timeouts;
  timeouts.global = route.timeout.value_or(kDefaultTimeout);
  if (route.retry) {
    timeouts.per_try = route.retry->per_try_timeout;
    timeouts.per_try_idle = route.retry->per_try_idle_timeout;
  }
  timeouts.stream_duration = route.max_stream_duration;
  if (is_grpc && (route.grpc_timeout_header_max || route.max_grpc_timeout)) {
    const auto asked = parse_grpc_timeout(request.get(http::HeaderId::GrpcTimeout).value_or(""));
    if (route.max_grpc_timeout) timeouts.global = grpc_route_timeout(route, asked);
    if (asked && route.grpc_timeout_header_max) {
      timeouts.stream_duration = less(shorter_timeout(*asked, *route.grpc_timeout_header_max),
                                      route.grpc_timeout_header_offset);
    }
  }
  if (internal) {
    if (const auto asked = header_milliseconds(request, "x-envoy-upstream-rq-timeout-ms")) {
      timeouts.global = *asked;
    }
    if (const auto asked = header_milliseconds(request, "x-envoy-upstream-rq-per-try-timeout-ms")) {
      timeouts.per_try = *asked;
    }
  }
  // A try cannot take longer than all of them.
  if (timeouts.global.count() > 0 && timeouts.per_try >= timeouts.global) {
    timeouts.per_try = milliseconds(0);
  }
  return timeouts;
}

void rewrite_host(http::HeaderMap& request, std::string_view host, const Route& route,
                  bool keep_original) {
  using http::HeaderId;
  const std::string before(request.authority());
  if (before == host) return;
  if (route.append_x_forwarded_host) request.append_to(HeaderId::XForwardedHost, before);
  if (keep_original) request.set(HeaderId::XEnvoyOriginalHost, before);
  const std::string after(host);
  request.set(HeaderId::Authority, after);
}

}  // namespace sennit::proxy

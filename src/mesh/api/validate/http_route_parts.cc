// The parts of an http route with rules of their own: retries, faults, CORS, header operations.
#include <algorithm>
#include <charconv>
#include <optional>

#include "mesh/api/grpc_status.h"
#include "mesh/api/validate/http_route.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

template <size_t N>
bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::ranges::count(words, word) > 0;
}

std::optional<int> number_of(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool is_retry_condition(std::string_view word) {
  static constexpr std::string_view kConditions[] = {"5xx",
                                                     "gateway-error",
                                                     "reset",
                                                     "reset-before-request",
                                                     "connect-failure",
                                                     "envoy-ratelimited",
                                                     "retriable-4xx",
                                                     "refused-stream",
                                                     "retriable-status-codes",
                                                     "retriable-headers",
                                                     "http3-post-connect-failure",
                                                     "cancelled",
                                                     "deadline-exceeded",
                                                     "internal",
                                                     "resource-exhausted",
                                                     "unavailable"};
  if (is_one_of(word, kConditions)) return true;
  const auto status = number_of(word);
  return status && *status >= 100 && *status <= 599;
}

void check_header_map(Checker& checker, const std::string& field, const StringMap& headers,
                      bool request) {
  for (const auto& [name, value] : headers) {
    const bool authority = name == ":authority" || name == "host" || name == "Host";
    if (!(request && authority) && (!is_header_name(name) || authority))
      checker.error(keyed(field, name), "\"{}\" is no header that can be changed here", name);
  }
}

void check_operations(Checker& checker, const std::string& field,
                      const api::Headers::HeaderOperations& operations, bool request) {
  check_header_map(checker, below(field, "set"), operations.set(), request);
  check_header_map(checker, below(field, "add"), operations.add(), request);
  for (int i = 0; i < operations.remove_size(); ++i)
    if (const std::string& name = operations.remove(i); !is_header_name(name) || name == "host")
      checker.error(at(below(field, "remove"), i), "\"{}\" is no header that can be removed", name);
}

}  // namespace

void check_header_operations(Checker& checker, const std::string& field,
                             const api::Headers& headers) {
  check_operations(checker, below(field, "request"), headers.request(), true);
  check_operations(checker, below(field, "response"), headers.response(), false);
}

void check_retries(Checker& checker, const std::string& field, const api::HTTPRetry& retries) {
  check_not_negative(checker, below(field, "attempts"), retries.attempts());
  const bool configured = retries.has_per_try_timeout() || !retries.retry_on().empty() ||
                          retries.has_retry_remote_localities();
  if (retries.attempts() == 0 && configured)
    checker.error(field, "\"attempts\" is 0, which turns retries off; set it, or remove the rest");
  if (retries.has_per_try_timeout())
    check_duration(checker, below(field, "perTryTimeout"), retries.per_try_timeout());
  if (retries.has_backoff()) check_duration(checker, below(field, "backoff"), retries.backoff());
  std::string_view rest = retries.retry_on();
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view word = trimmed(rest.substr(0, comma));
    if (!is_retry_condition(word))
      checker.error(below(field, "retryOn"),
                    "\"{}\" is no condition to retry on; write 5xx, "
                    "gateway-error, reset, connect-failure, retriable-4xx, refused-stream, "
                    "unavailable, cancelled, a status such as 503, ...",
                    word);
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
}

void check_fault(Checker& checker, const std::string& field, const api::HTTPFaultInjection& fault) {
  if (!fault.has_delay() && !fault.has_abort())
    checker.error(field, "needs \"delay\" or \"abort\"");
  if (fault.has_delay()) {
    const auto& delay = fault.delay();
    const std::string path = below(field, "delay");
    check_percent(checker, below(path, "percent"), delay.percent());
    check_percent(checker, below(path, "percentage.value"), delay.percentage().value());
    if (delay.has_fixed_delay())
      check_duration(checker, below(path, "fixedDelay"), delay.fixed_delay());
    if (delay.has_exponential_delay())
      checker.error(below(path, "exponentialDelay"), "is not supported; use \"fixedDelay\"");
  }
  if (!fault.has_abort()) return;
  const auto& abort = fault.abort();
  const std::string path = below(field, "abort");
  check_percent(checker, below(path, "percentage.value"), abort.percentage().value());
  if (abort.has_http_status() && (abort.http_status() < 200 || abort.http_status() > 599))
    checker.error(below(path, "httpStatus"), "{} is no status; write 200 to 599",
                  abort.http_status());
  if (abort.has_grpc_status() && !grpc_status_code(abort.grpc_status()))
    checker.error(below(path, "grpcStatus"),
                  "\"{}\" is no gRPC status; write a name such as "
                  "UNAVAILABLE",
                  abort.grpc_status());
  if (abort.has_http2_error())
    checker.error(below(path, "http2Error"), "is not supported; use \"httpStatus\"");
}

void check_cors(Checker& checker, const std::string& field, const api::CorsPolicy& cors) {
  static constexpr std::string_view kMethods[] = {"GET",    "HEAD",    "POST",    "PUT",   "PATCH",
                                                  "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"};
  for (int i = 0; i < cors.allow_origins_size(); ++i) {
    const auto& origin = cors.allow_origins(i);
    const std::string path = at(below(field, "allowOrigins"), i);
    check_string_match(checker, path, origin);
    if (origin.exact().empty() && origin.prefix().empty() && origin.regex().empty())
      checker.error(path, "matches nothing; write \"exact\", \"prefix\" or \"regex\" with a value");
  }
  for (int i = 0; i < cors.allow_methods_size(); ++i)
    if (!is_one_of(cors.allow_methods(i), kMethods))
      checker.error(at(below(field, "allowMethods"), i), "\"{}\" is no HTTP method",
                    cors.allow_methods(i));
  const auto headers = [&](std::string_view name, const StringList& list) {
    for (int i = 0; i < list.size(); ++i)
      if (!is_header_name(list[i]))
        checker.error(at(below(field, name), i), "\"{}\" is no header name", list[i]);
  };
  headers("allowHeaders", cors.allow_headers());
  headers("exposeHeaders", cors.expose_headers());
  if (cors.has_max_age()) {
    check_duration(checker, below(field, "maxAge"), cors.max_age());
    if (cors.max_age().nanos() != 0) checker.error(below(field, "maxAge"), "must be whole seconds");
  }
}

}  // namespace sennit::mesh

#include "proxy/telemetry/start_time.h"

#include <charconv>
#include <ctime>

namespace sennit::proxy {
namespace {

constexpr int kNanoDigits = 9;
constexpr int64_t kNanosPerSecond = 1'000'000'000;

// The fraction's digits at a %f or %Nf; 0 where the pattern has something else at `at` (a '%').
int fraction_digits(std::string_view pattern, size_t at) {
  if (at + 1 >= pattern.size()) return 0;
  if (pattern[at + 1] == 'f') return kNanoDigits;
  const char digit = pattern[at + 1];
  if (digit < '1' || digit > '9' || at + 2 >= pattern.size() || pattern[at + 2] != 'f') return 0;
  return digit - '0';
}

void append_fraction(std::string& out, int64_t nanos, int digits) {
  char text[kNanoDigits];
  for (int i = kNanoDigits - 1; i >= 0; --i, nanos /= 10)
    text[i] = static_cast<char>('0' + nanos % 10);
  out.append(text, static_cast<size_t>(digits));
}

// One conversion specification, "%Y".
void append_calendar(std::string& out, char specifier, const std::tm& calendar, int64_t seconds) {
  char text[64];
  if (specifier == 's') {
    auto [end, error] = std::to_chars(text, text + sizeof(text), seconds);
    out.append(text, static_cast<size_t>(end - text));
    return;
  }
  const char format[] = {'%', specifier, '\0'};
  out.append(text, std::strftime(text, sizeof(text), format, &calendar));
}

// The default pattern's "2026-11-21T05:01:02" for the last second that this thread printed.
void append_default(std::string& out, int64_t seconds, int64_t nanos) {
  thread_local int64_t cached_second = -1;
  thread_local char cached[sizeof("2026-11-21T05:01:02")];
  if (cached_second != seconds) {
    const std::time_t time = seconds;
    std::tm calendar{};
    gmtime_r(&time, &calendar);
    std::strftime(cached, sizeof(cached), "%Y-%m-%dT%H:%M:%S", &calendar);
    cached_second = seconds;
  }
  out.append(cached, sizeof(cached) - 1);
  out += '.';
  append_fraction(out, nanos, 3);
  out += 'Z';
}

}  // namespace

Status check_start_time(std::string_view pattern) {
  constexpr std::string_view kKnown = "aAbBcCdDeFgGhHIjmMnprRsStTuUVwWxXyYzZ%";
  for (size_t at = pattern.find('%'); at != std::string_view::npos; at = pattern.find('%', at)) {
    const int digits = fraction_digits(pattern, at);
    if (digits > 0) {
      at += pattern[at + 1] == 'f' ? 2 : 3;
      continue;
    }
    if (at + 1 >= pattern.size() || kKnown.find(pattern[at + 1]) == std::string_view::npos) {
      return fail("\"{}\": {} is not a time specifier", pattern, pattern.substr(at, 2));
    }
    at += 2;
  }
  return {};
}

void append_start_time(std::string& out, const std::string& pattern,
                       std::chrono::system_clock::time_point time) {
  const int64_t total =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  const int64_t seconds = total / kNanosPerSecond, nanos = total % kNanosPerSecond;
  if (pattern == kDefaultStartTime) return append_default(out, seconds, nanos);
  const std::time_t calendar_time = seconds;
  std::tm calendar{};
  gmtime_r(&calendar_time, &calendar);
  for (size_t at = 0; at < pattern.size();) {
    if (pattern[at] != '%') {
      out += pattern[at++];
      continue;
    }
    const int digits = fraction_digits(pattern, at);
    if (digits > 0) {
      append_fraction(out, nanos, digits);
      at += pattern[at + 1] == 'f' ? 2 : 3;
      continue;
    }
    append_calendar(out, pattern[at + 1], calendar, seconds);
    at += 2;
  }
}

}  // namespace sennit::proxy

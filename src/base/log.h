// Operational log lines: an event with its fields, never one per request above debug.
//
//   log::info("xds", "connected to {}", address);
//
// The first word is the component (`xds`, `upstream`, `ca`, ...). Lines go to stderr; the sink is
// thread-safe. Levels are spdlog's; set once at start, changed by the admin endpoint /logging.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>
#include <utility>

namespace sennit::log {

template <typename... Args>
void write(spdlog::level::level_enum level, std::string_view component,
           fmt::format_string<Args...> format, Args&&... args) {
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(level)) return;
  logger->log(level, "[{}] {}", component, fmt::format(format, std::forward<Args>(args)...));
}

#define SENNIT_LOG_LEVEL(name)                                                                \
  template <typename... Args>                                                                 \
  void name(std::string_view component, fmt::format_string<Args...> format, Args&&... args) { \
    write(spdlog::level::name, component, format, std::forward<Args>(args)...);               \
  }
SENNIT_LOG_LEVEL(debug)
SENNIT_LOG_LEVEL(info)
SENNIT_LOG_LEVEL(warn)
SENNIT_LOG_LEVEL(err)
#undef SENNIT_LOG_LEVEL

}  // namespace sennit::log

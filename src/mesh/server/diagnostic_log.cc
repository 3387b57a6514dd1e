#include "mesh/server/diagnostic_log.h"

#include "base/log.h"

namespace sennit::mesh {

void DiagnosticLog::update(const std::vector<Diagnostic>& all) {
  std::lock_guard lock(mutex_);
  std::set<std::string> now;
  for (const Diagnostic& diagnostic : all) {
    std::string text = diagnostic.to_string();
    if (now.insert(text).second && !told_.contains(text)) {
      if (diagnostic.level == Diagnostic::Level::Error) {
        log::err("config", "{}", text);
      } else {
        log::warn("config", "{}", text);
      }
    }
  }
  for (const std::string& text : told_)
    if (!now.contains(text)) log::info("config", "mended: {}", text);
  told_ = std::move(now);
}

}  // namespace sennit::mesh

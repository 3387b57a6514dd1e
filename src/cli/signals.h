// SIGINT, SIGTERM and friends as events instead of interruptions: blocked in every thread (make one
// of these before starting any), read when asked for.
#pragma once

#include <chrono>
#include <optional>

#include "base/unique_fd.h"

namespace sennit::cli {

class Signals {
 public:
  Signals();  // SIGINT, SIGTERM, SIGHUP, SIGQUIT; SIGPIPE is ignored
  // The next signal, waiting up to `time`.
  std::optional<int> wait(std::chrono::milliseconds time);

 private:
  UniqueFd fd_;
};

}  // namespace sennit::cli

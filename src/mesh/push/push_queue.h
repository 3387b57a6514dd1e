// Sessions that wait for a push, and the threads that do it. A session waits at most once: while
// it does, further changes widen its scope, so that a slow proxy gets one push with the newest
// state instead of a queue of old ones.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "mesh/push/session.h"

namespace sennit::mesh {

class PushQueue {
 public:
  using Push = std::function<void(Session&, const ChangeSummary&)>;
  PushQueue(size_t threads, Push push);
  ~PushQueue();

  void add(const std::shared_ptr<Session>& session, const ChangeSummary& change);
  bool idle() const;
  void stop();

 private:
  void run();

  Push push_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Session>> order_;
  std::map<Session*, ChangeSummary> pending_;
  size_t running_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sennit::mesh

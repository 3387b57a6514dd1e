// One thread's event loop over epoll: file descriptors, timers, work posted from other threads,
// and deletion put off until the current batch of events is done (so that no handler in the batch
// can be left dangling). One per worker and one for the main thread. Everything but `post` and
// `stop` is called on the loop's own thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "net/timer_wheel.h"

namespace sennit::net {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Milliseconds = std::chrono::milliseconds;

// What an fd's owner implements. `events` are epoll's bits (EPOLLIN, EPOLLOUT, EPOLLRDHUP, ...).
class IoHandler {
 public:
  virtual void on_io(uint32_t events) = 0;

 protected:
  ~IoHandler() = default;
};

// Something that gathers output during a batch of events and writes it once at the end of it.
class Flushable {
 public:
  virtual void on_flush() = 0;

 protected:
  ~Flushable() = default;

 private:
  friend class EventLoop;
  bool flush_scheduled_ = false;
};

// Base of objects whose deletion is put off to the end of the batch.
class DeferredDeletable {
 public:
  virtual ~DeferredDeletable() = default;
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs until `stop`. Deferred deletions and posted work left over are done before it returns.
  void run();
  // Runs the events that are ready now, waiting at most `wait` for the first one. For tests.
  void run_once(Milliseconds wait);

  // Any thread.
  void stop();
  // Any thread. Tasks run on the loop's thread in the order in which they were posted.
  void post(std::function<void()> task);

  // Watches `fd`. Pass EPOLLET in `events` for edge-triggered watching. The handler must outlive
  // the watch; `remove` before closing the fd. Events already gathered for a removed fd are
  // dropped.
  void add(int fd, uint32_t events, IoHandler* handler);
  void modify(int fd, uint32_t events, IoHandler* handler);
  void remove(int fd);
  // Calls the handler of a watched `fd` with `events` in the next batch, without a system call: for
  // work that was cut short so that other connections get their turn. Dropped if `fd` is removed.
  void requeue(int fd, uint32_t events);

  // Calls `flushable->on_flush()` once after the current batch of events (before waiting again).
  // `cancel_flush` must be called if the object goes away first.
  void schedule_flush(Flushable* flushable);
  void cancel_flush(Flushable* flushable);

  void defer_delete(std::unique_ptr<DeferredDeletable> object);

  // The time at which the current batch began: monotonic, one clock read per batch. Outside a batch
  // it is the time of the call.
  TimePoint now() const;

  // The loop that runs on the calling thread; nullptr outside `run`.
  static EventLoop* current();

 private:
  friend class Timer;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A one-shot timer, re-armed at will. Arming and disarming are O(1) and touch no system call:
// they cost nothing unless the timer fires. Resolution 1 ms; never early. Destroying it disarms it.
class Timer : private TimerNode {
 public:
  Timer(EventLoop& loop, std::function<void()> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void enable(Milliseconds after);
  void disable();
  bool enabled() const;

 private:
  friend class EventLoop;
  friend struct EventLoop::Impl;
  EventLoop& loop_;
  std::function<void()> callback_;
};

}  // namespace sennit::net

#include "net/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "base/unique_fd.h"

namespace sennit::net {
namespace {

// Events taken per epoll_wait: enough to amortise the call, few enough that timers stay punctual.
constexpr int kMaxEventsPerBatch = 256;

thread_local EventLoop* current_loop = nullptr;

uint64_t pack(int fd, uint32_t generation) {
  return static_cast<uint64_t>(generation) << 32 | static_cast<uint32_t>(fd);
}

}  // namespace

struct EventLoop::Impl {
  // What is watched, indexed by fd. `generation` tells events of an fd from those of its namesake.
  struct Watch {
    IoHandler* handler = nullptr;
    uint32_t generation = 0;
  };
  struct Requeued {
    int fd;
    uint32_t generation;
    uint32_t events;
  };

  UniqueFd epoll{epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd wake{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  std::vector<Watch> watches;
  std::vector<Requeued> requeued, requeued_batch;
  std::vector<Flushable*> to_flush, flush_batch;
  std::vector<std::unique_ptr<DeferredDeletable>> to_delete;
  TimerWheel wheel;
  Timer* firing = nullptr;
  bool in_batch = false;
  const TimePoint epoch = Clock::now();
  TimePoint batch_time = epoch;
  std::atomic<bool> stopping{false};

  std::mutex posted_mutex;
  std::vector<std::function<void()>> posted;

  uint64_t tick_of(TimePoint time) const {
    return static_cast<uint64_t>((time - epoch) / Milliseconds(1));
  }
  TimePoint time() const { return in_batch ? batch_time : Clock::now(); }

  void signal() {
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake.get(), &one, sizeof one);
  }
  int timeout_for(Milliseconds limit) const;
  void dispatch(uint64_t data, uint32_t events);
  void dispatch_requeued();
  void fire_timers();
  bool run_posted();
  bool finish_batch();
  void batch(Milliseconds wait);
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = pack(impl_->wake.get(), 0)}};
  epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, impl_->wake.get(), &event);
}

EventLoop::~EventLoop() {
  while (impl_->finish_batch()) {
  }
}

EventLoop* EventLoop::current() {
  return current_loop;
}
TimePoint EventLoop::now() const {
  return impl_->time();
}

void EventLoop::run() {
  EventLoop* const outer = std::exchange(current_loop, this);
  while (!impl_->stopping.load(std::memory_order_acquire)) impl_->batch(Milliseconds(-1));
  impl_->in_batch = true;
  impl_->batch_time = Clock::now();
  while (impl_->run_posted() | impl_->finish_batch()) {
  }
  impl_->in_batch = false;
  impl_->stopping.store(false, std::memory_order_relaxed);
  current_loop = outer;
}

void EventLoop::run_once(Milliseconds wait) {
  EventLoop* const outer = std::exchange(current_loop, this);
  impl_->batch(wait);
  current_loop = outer;
}

void EventLoop::stop() {
  impl_->stopping.store(true, std::memory_order_release);
  impl_->signal();
}

void EventLoop::post(std::function<void()> task) {
  bool first;
  {
    std::lock_guard lock(impl_->posted_mutex);
    first = impl_->posted.empty();
    impl_->posted.push_back(std::move(task));
  }
  if (first) impl_->signal();
}

void EventLoop::add(int fd, uint32_t events, IoHandler* handler) {
  if (static_cast<size_t>(fd) >= impl_->watches.size()) impl_->watches.resize(fd + 64);
  auto& watch = impl_->watches[fd];
  watch.handler = handler;
  ++watch.generation;
  epoll_event event{.events = events, .data = {.u64 = pack(fd, watch.generation)}};
  if (epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    log::err("net", "epoll cannot watch descriptor {}: {}", fd, std::strerror(errno));
  }
}

void EventLoop::modify(int fd, uint32_t events, IoHandler* handler) {
  auto& watch = impl_->watches[fd];
  watch.handler = handler;
  epoll_event event{.events = events, .data = {.u64 = pack(fd, watch.generation)}};
  epoll_ctl(impl_->epoll.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::remove(int fd) {
  if (fd < 0 || static_cast<size_t>(fd) >= impl_->watches.size()) return;
  auto& watch = impl_->watches[fd];
  if (!watch.handler) return;
  watch.handler = nullptr;
  ++watch.generation;
  epoll_ctl(impl_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::requeue(int fd, uint32_t events) {
  impl_->requeued.push_back({fd, impl_->watches[fd].generation, events});
}

void EventLoop::schedule_flush(Flushable* flushable) {
  if (flushable->flush_scheduled_) return;
  flushable->flush_scheduled_ = true;
  impl_->to_flush.push_back(flushable);
}

void EventLoop::cancel_flush(Flushable* flushable) {
  if (!flushable->flush_scheduled_) return;
  flushable->flush_scheduled_ = false;
  for (auto* list : {&impl_->to_flush, &impl_->flush_batch}) {
    for (auto& entry : *list) {
      if (entry == flushable) entry = nullptr;
    }
  }
}

void EventLoop::defer_delete(std::unique_ptr<DeferredDeletable> object) {
  if (object) impl_->to_delete.push_back(std::move(object));
}

// Milliseconds for epoll_wait, rounded up so that a timer is due when it returns; -1: for ever.
int EventLoop::Impl::timeout_for(Milliseconds limit) const {
  if (!requeued.empty()) return 0;
  auto timeout = limit;
  if (const auto next = wheel.next_tick()) {
    const auto due = epoch + Milliseconds(*next);
    const auto left = std::chrono::ceil<Milliseconds>(due - Clock::now());
    const auto bounded = std::max(left, Milliseconds(0));
    if (timeout.count() < 0 || bounded < timeout) timeout = bounded;
  }
  return static_cast<int>(std::min<int64_t>(timeout.count(), 3'600'000));
}

void EventLoop::Impl::dispatch(uint64_t data, uint32_t events) {
  const auto fd = static_cast<uint32_t>(data);
  if (static_cast<int>(fd) == wake.get()) {
    uint64_t count;
    [[maybe_unused]] const auto got = ::read(wake.get(), &count, sizeof count);
    return;
  }
  const Watch watch = watches[fd];
  if (watch.handler && watch.generation == data >> 32) watch.handler->on_io(events);
}

void EventLoop::Impl::dispatch_requeued() {
  requeued_batch.swap(requeued);
  for (const auto& entry : requeued_batch) dispatch(pack(entry.fd, entry.generation), entry.events);
  requeued_batch.clear();
}

void EventLoop::Impl::fire_timers() {
  const uint64_t tick = tick_of(batch_time);
  while (TimerNode* node = wheel.pop_due(tick)) {
    auto* timer = static_cast<Timer*>(node);
    // The callback may destroy its own timer: it runs from a place of its own.
    firing = timer;
    auto callback = std::move(timer->callback_);
    callback();
    if (firing == timer) timer->callback_ = std::move(callback);
    firing = nullptr;
  }
}

bool EventLoop::Impl::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    std::lock_guard lock(posted_mutex);
    tasks.swap(posted);
  }
  for (auto& task : tasks) task();
  return !tasks.empty();
}

// Writes what was gathered and destroys what was given up; true if there was any.
bool EventLoop::Impl::finish_batch() {
  bool worked = false;
  while (!to_flush.empty()) {
    worked = true;
    flush_batch.swap(to_flush);
    for (size_t i = 0; i < flush_batch.size(); ++i) {
      Flushable* flushable = flush_batch[i];
      if (!flushable) continue;
      flushable->flush_scheduled_ = false;
      flushable->on_flush();
    }
    flush_batch.clear();
  }
  while (!to_delete.empty()) {
    worked = true;
    auto doomed = std::move(to_delete);
    to_delete.clear();
    doomed.clear();
  }
  return worked;
}

void EventLoop::Impl::batch(Milliseconds wait) {
  // What was written or given up between batches (start-up, tests) goes first.
  while (finish_batch()) {
  }
  epoll_event events[kMaxEventsPerBatch];
  const int count = epoll_wait(epoll.get(), events, kMaxEventsPerBatch, timeout_for(wait));
  batch_time = Clock::now();
  in_batch = true;
  dispatch_requeued();
  for (int i = 0; i < count; ++i) dispatch(events[i].data.u64, events[i].events);
  fire_timers();
  run_posted();
  while (finish_batch()) {
  }
  in_batch = false;
}

Timer::Timer(EventLoop& loop, std::function<void()> callback)
    : loop_(loop), callback_(std::move(callback)) {}

Timer::~Timer() {
  disable();
  if (loop_.impl_->firing == this) loop_.impl_->firing = nullptr;
}

void Timer::enable(Milliseconds after) {
  auto& impl = *loop_.impl_;
  const auto deadline = impl.time() + std::max(after, Milliseconds(0));
  const auto since = std::chrono::ceil<Milliseconds>(deadline - impl.epoch);
  impl.wheel.arm(*this, static_cast<uint64_t>(since.count()));
}

void Timer::disable() {
  loop_.impl_->wheel.disarm(*this);
}
bool Timer::enabled() const {
  return armed();
}

}  // namespace sennit::net

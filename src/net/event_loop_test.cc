#include "net/event_loop.h"

#include <gmock/gmock.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace sennit::net {
namespace {

using testing::ElementsAre;

struct Readable {
  UniqueFd fd{eventfd(1, EFD_NONBLOCK)};
};

struct Handler : IoHandler {
  std::function<void(uint32_t)> action;
  int calls = 0;
  void on_io(uint32_t events) override {
    ++calls;
    if (action) action(events);
  }
};

TEST(EventLoop, FiresTimersInOrderOfTheirDeadlines) {
  EventLoop loop;
  std::vector<int> fired;
  Timer third(loop, [&] {
    fired.push_back(3);
    loop.stop();
  });
  Timer first(loop, [&] { fired.push_back(1); });
  Timer second(loop, [&] { fired.push_back(2); });
  third.enable(Milliseconds(20));
  first.enable(Milliseconds(1));
  second.enable(Milliseconds(10));
  loop.run();
  EXPECT_THAT(fired, ElementsAre(1, 2, 3));
}

TEST(EventLoop, NeverFiresATimerEarly) {
  EventLoop loop;
  const auto begun = Clock::now();
  Timer timer(loop, [&] { loop.stop(); });
  timer.enable(Milliseconds(15));
  loop.run();
  EXPECT_GE(Clock::now() - begun, Milliseconds(15));
}

TEST(EventLoop, DoesNotFireADisabledTimer) {
  EventLoop loop;
  bool fired = false;
  Timer disabled(loop, [&] { fired = true; });
  Timer end(loop, [&] { loop.stop(); });
  disabled.enable(Milliseconds(1));
  end.enable(Milliseconds(5));
  disabled.disable();
  EXPECT_FALSE(disabled.enabled());
  loop.run();
  EXPECT_FALSE(fired);
}

TEST(EventLoop, RearmingATimerReplacesItsDeadline) {
  EventLoop loop;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  Timer end(loop, [&] { loop.stop(); });
  timer.enable(Milliseconds(1));
  timer.enable(Milliseconds(2));
  end.enable(Milliseconds(8));
  loop.run();
  EXPECT_EQ(fired, 1);
}

TEST(EventLoop, ATimerMayDestroyItselfAndOthersFromItsCallback) {
  EventLoop loop;
  bool other_fired = false;
  std::unique_ptr<Timer> self, other;
  self = std::make_unique<Timer>(loop, [&] {
    other.reset();
    self.reset();
  });
  other = std::make_unique<Timer>(loop, [&] { other_fired = true; });
  self->enable(Milliseconds(2));
  other->enable(Milliseconds(2));
  Timer end(loop, [&] { loop.stop(); });
  end.enable(Milliseconds(6));
  loop.run();
  EXPECT_FALSE(other_fired);
  EXPECT_EQ(self, nullptr);
}

TEST(EventLoop, ATimerThatArmsItselfForNowLetsTheLoopGoOn) {
  EventLoop loop;
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&] {
    if (++fired == 3) return loop.stop();
    timer->enable(Milliseconds(0));
  });
  timer->enable(Milliseconds(0));
  loop.run();
  EXPECT_EQ(fired, 3);
}

TEST(EventLoop, RunsPostedTasksInOrderFromAnotherThread) {
  EventLoop loop;
  std::vector<int> ran;
  std::thread poster([&] {
    for (int i = 0; i < 100; ++i) loop.post([&ran, i] { ran.push_back(i); });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  poster.join();
  ASSERT_EQ(ran.size(), 100u);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

TEST(EventLoop, RunsWhatWasPostedBeforeItStops) {
  EventLoop loop;
  bool ran = false;
  loop.stop();
  loop.post([&] { ran = true; });
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(EventLoop, DropsEventsOfAnFdRemovedInTheSameBatch) {
  EventLoop loop;
  Readable a, b;
  Handler handler_a, handler_b;
  handler_a.action = [&](uint32_t) { loop.remove(b.fd.get()); };
  handler_b.action = [&](uint32_t) { loop.remove(a.fd.get()); };
  loop.add(a.fd.get(), EPOLLIN, &handler_a);
  loop.add(b.fd.get(), EPOLLIN, &handler_b);
  loop.run_once(Milliseconds(1000));
  EXPECT_EQ(handler_a.calls + handler_b.calls, 1);
}

TEST(EventLoop, DropsEventsOfARemovedFdAlsoWhenItsNumberIsWatchedAgain) {
  EventLoop loop;
  Readable a, b;
  Handler handler_a, handler_b, newcomer;
  const auto replace = [&](int fd) {
    loop.remove(fd);
    loop.add(fd, EPOLLOUT | EPOLLET, &newcomer);
  };
  handler_a.action = [&](uint32_t) { replace(b.fd.get()); };
  handler_b.action = [&](uint32_t) { replace(a.fd.get()); };
  loop.add(a.fd.get(), EPOLLIN, &handler_a);
  loop.add(b.fd.get(), EPOLLIN, &handler_b);
  loop.run_once(Milliseconds(1000));
  EXPECT_EQ(newcomer.calls, 0);
}

TEST(EventLoop, RequeuedEventsComeInTheNextBatchOnly) {
  EventLoop loop;
  Readable a;
  Handler handler;
  loop.add(a.fd.get(), EPOLLIN | EPOLLET, &handler);
  handler.action = [&](uint32_t) {
    if (handler.calls == 1) loop.requeue(a.fd.get(), 0);
  };
  loop.run_once(Milliseconds(1000));
  EXPECT_EQ(handler.calls, 1);
  loop.run_once(Milliseconds(1000));
  EXPECT_EQ(handler.calls, 2);
}

struct Flusher : Flushable {
  int flushes = 0;
  void on_flush() override { ++flushes; }
};

TEST(EventLoop, FlushesOnceHoweverOftenItWasScheduled) {
  EventLoop loop;
  Flusher flusher;
  loop.schedule_flush(&flusher);
  loop.schedule_flush(&flusher);
  loop.run_once(Milliseconds(0));
  EXPECT_EQ(flusher.flushes, 1);
}

TEST(EventLoop, DoesNotFlushWhatWasCancelled) {
  EventLoop loop;
  Flusher flusher;
  loop.schedule_flush(&flusher);
  loop.cancel_flush(&flusher);
  loop.run_once(Milliseconds(0));
  EXPECT_EQ(flusher.flushes, 0);
}

struct Doomed : DeferredDeletable {
  explicit Doomed(bool& gone) : gone(gone) {}
  ~Doomed() override { gone = true; }
  bool& gone;
};

TEST(EventLoop, DeletesAtTheEndOfTheBatch) {
  EventLoop loop;
  Readable a;
  Handler handler;
  bool gone = false, gone_inside = true;
  handler.action = [&](uint32_t) {
    loop.defer_delete(std::make_unique<Doomed>(gone));
    gone_inside = gone;
  };
  loop.add(a.fd.get(), EPOLLIN | EPOLLET, &handler);
  loop.run_once(Milliseconds(1000));
  EXPECT_FALSE(gone_inside);
  EXPECT_TRUE(gone);
}

TEST(TimerWheel, GivesEachNodeAtItsTickHoweverFarAway) {
  TimerWheel wheel;
  const std::vector<uint64_t> deadlines = {1,     255,   256,      257,      511,       65535,
                                           65536, 70000, 16777216, 16777300, 3000000000};
  std::vector<TimerNode> nodes(deadlines.size());
  for (size_t i = 0; i < nodes.size(); ++i) wheel.arm(nodes[i], deadlines[i]);
  for (size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_EQ(wheel.pop_due(deadlines[i] - 1), nullptr) << deadlines[i];
    EXPECT_EQ(wheel.pop_due(deadlines[i]), &nodes[i]) << deadlines[i];
  }
}

TEST(TimerWheel, NextTickIsNeverLaterThanTheNextDeadline) {
  TimerWheel wheel;
  uint64_t seed = 7, now = 0;
  std::vector<TimerNode> nodes(200);
  for (auto& node : nodes) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    wheel.arm(node, 1 + (seed >> 40) % 200000);
  }
  std::vector<uint64_t> fired;
  while (const auto next = wheel.next_tick()) {
    ASSERT_GT(*next, now);
    now = *next;
    while (TimerNode* node = wheel.pop_due(now)) {
      EXPECT_EQ(node->deadline_tick, now);
      fired.push_back(now);
    }
  }
  EXPECT_EQ(fired.size(), nodes.size());
}

TEST(TimerWheel, HasNoNextTickWhenAllAreDisarmed) {
  TimerWheel wheel;
  TimerNode a, b;
  wheel.arm(a, 10);
  wheel.arm(b, 1000);
  wheel.disarm(a);
  wheel.disarm(b);
  EXPECT_FALSE(wheel.next_tick());
}

}  // namespace
}  // namespace sennit::net

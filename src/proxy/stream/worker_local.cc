#include "proxy/stream/worker_local.h"

#include <cstdio>
#include <ctime>
#include <new>

namespace sennit::proxy {

std::chrono::system_clock::time_point WallClock::now(net::TimePoint monotonic) {
  if (monotonic >= valid_until_ || monotonic < valid_from_) refresh(monotonic);
  return wall_ +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(monotonic - valid_from_);
}

std::string_view WallClock::date(net::TimePoint monotonic) {
  if (monotonic >= valid_until_ || monotonic < valid_from_) refresh(monotonic);
  return {date_.data(), date_.size()};
}

void WallClock::refresh(net::TimePoint monotonic) {
  using std::chrono::seconds;
  wall_ = std::chrono::system_clock::now();
  valid_from_ = monotonic;
  const auto second = std::chrono::floor<seconds>(wall_);
  valid_until_ = monotonic + (second + seconds(1) - wall_);
  const std::time_t time = std::chrono::system_clock::to_time_t(second);
  std::tm parts;
  gmtime_r(&time, &parts);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char text[64];
  std::snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday],
                parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                parts.tm_min, parts.tm_sec);
  std::copy_n(text, date_.size(), date_.data());
}

FreeList::~FreeList() {
  for (void* block : blocks_) ::operator delete(block);
}

void* FreeList::take() {
  if (blocks_.empty()) return ::operator new(block_size_);
  void* block = blocks_.back();
  blocks_.pop_back();
  return block;
}

void FreeList::give_back(void* block) {
  if (blocks_.size() >= kMaxKept) return ::operator delete(block);
  blocks_.push_back(block);
}

WorkerLocal& worker_local() {
  thread_local WorkerLocal local;
  return local;
}

}  // namespace sennit::proxy

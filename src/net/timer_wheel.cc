#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace sennit::net {

void TimerWheel::arm(TimerNode& node, uint64_t tick) {
  if (node.armed()) disarm(node);
  node.deadline_tick = std::clamp(tick, current_ + 1, current_ + kMaxDelta);
  link(node);
}

void TimerWheel::link(TimerNode& node) {
  const uint64_t delta = node.deadline_tick - current_;
  uint32_t level = 0;
  while (delta >> (kLevelBits * (level + 1))) ++level;
  const uint32_t index = (node.deadline_tick >> (kLevelBits * level)) & (kSlots - 1);
  node.slot = static_cast<int32_t>(level * kSlots + index);
  Slot& slot = slots_[node.slot];
  node.next = nullptr;
  node.previous = slot.tail;
  (slot.tail ? slot.tail->next : slot.head) = &node;
  slot.tail = &node;
  occupied_[node.slot / 64] |= uint64_t{1} << (node.slot % 64);
}

void TimerWheel::disarm(TimerNode& node) {
  if (!node.armed()) return;
  Slot& slot = slots_[node.slot];
  (node.previous ? node.previous->next : slot.head) = node.next;
  (node.next ? node.next->previous : slot.tail) = node.previous;
  if (!slot.head) occupied_[node.slot / 64] &= ~(uint64_t{1} << (node.slot % 64));
  node.previous = node.next = nullptr;
  node.slot = -1;
}

uint32_t TimerWheel::distance(uint32_t level, uint32_t after) const {
  const uint64_t* words = &occupied_[level * kSlots / 64];
  constexpr uint32_t kWords = kSlots / 64;
  uint32_t position = (after + 1) & (kSlots - 1);
  // One word more than there are: the first is looked at from its middle, and again from its start.
  for (uint32_t scanned = 0, seen = 0; scanned <= kWords; ++scanned) {
    const uint64_t bits = words[position / 64] >> (position % 64);
    if (bits) {
      const uint32_t found = seen + static_cast<uint32_t>(std::countr_zero(bits)) + 1;
      return found <= kSlots ? found : 0;
    }
    const uint32_t step = 64 - position % 64;
    seen += step;
    position = (position + step) & (kSlots - 1);
  }
  return 0;
}

std::optional<uint64_t> TimerWheel::next_tick() const {
  std::optional<uint64_t> next;
  for (uint32_t level = 0; level < kLevels; ++level) {
    const uint32_t shift = kLevelBits * level;
    const uint64_t here = current_ >> shift;
    if (const uint32_t slots = distance(level, here & (kSlots - 1))) {
      const uint64_t tick = (here + slots) << shift;
      if (!next || tick < *next) next = tick;
    }
  }
  return next;
}

void TimerWheel::cascade(uint32_t level) {
  const uint32_t index = (current_ >> (kLevelBits * level)) & (kSlots - 1);
  Slot& slot = slots_[level * kSlots + index];
  TimerNode* node = slot.head;
  slot = {};
  occupied_[(level * kSlots + index) / 64] &= ~(uint64_t{1} << (index % 64));
  while (node) {
    TimerNode* next = node->next;
    link(*node);
    node = next;
  }
}

void TimerWheel::enter_tick(uint64_t tick) {
  current_ = tick;
  for (uint32_t level = 1; level < kLevels; ++level) {
    if (tick & ((uint64_t{1} << (kLevelBits * level)) - 1)) break;
    cascade(level);
  }
}

TimerNode* TimerWheel::pop_due(uint64_t tick) {
  while (true) {
    if (TimerNode* node = slots_[current_ & (kSlots - 1)].head) {
      if (node->deadline_tick <= current_) {
        disarm(*node);
        return node;
      }
    }
    if (current_ >= tick) return nullptr;
    const auto next = next_tick();
    if (!next || *next > tick) {
      current_ = tick;
      return nullptr;
    }
    enter_tick(*next);
  }
}

}  // namespace sennit::net

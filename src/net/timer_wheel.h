// A hierarchical timing wheel: four levels of 256 slots, a tick of one millisecond at the lowest.
// Arming and disarming link and unlink a list node; a timer far off is moved down a level at most
// three times in its life. An occupancy bitmap per level makes finding the next tick of interest a
// few word scans, so an idle loop sleeps until something is really due. Used by EventLoop only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace sennit::net {

// The list node and its deadline; Timer is one.
struct TimerNode {
  TimerNode* previous = nullptr;
  TimerNode* next = nullptr;
  uint64_t deadline_tick = 0;
  int32_t slot = -1;  // -1: not armed
  bool armed() const { return slot >= 0; }
};

class TimerWheel {
 public:
  // Links `node` so that it comes out of `pop_due` at `tick`, at the earliest one tick from now.
  void arm(TimerNode& node, uint64_t tick);
  void disarm(TimerNode& node);

  // Moves time towards `tick`; returns the next node due at or before it, disarmed, or nullptr once
  // time stands at `tick`. Nodes may be armed and disarmed between calls.
  TimerNode* pop_due(uint64_t tick);

  // The next tick at which `pop_due` has work (perhaps only moving timers down a level).
  std::optional<uint64_t> next_tick() const;

 private:
  static constexpr uint32_t kLevelBits = 8, kSlots = 1u << kLevelBits, kLevels = 4;
  static constexpr uint64_t kMaxDelta = (uint64_t{1} << (kLevelBits * kLevels)) - 1;  // 49 days

  struct Slot {
    TimerNode* head = nullptr;
    TimerNode* tail = nullptr;
  };

  void link(TimerNode& node);
  void cascade(uint32_t level);
  void enter_tick(uint64_t tick);
  // Slots from `after` (exclusive) to the next occupied one of the level, 1..256; 0 when none is.
  uint32_t distance(uint32_t level, uint32_t after) const;

  uint64_t current_ = 0;
  std::array<Slot, kSlots * kLevels> slots_{};
  std::array<uint64_t, kSlots * kLevels / 64> occupied_{};
};

}  // namespace sennit::net

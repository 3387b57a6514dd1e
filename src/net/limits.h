// The numbers of src/net/, each with its reason.
#pragma once

#include <chrono>
#include <cstddef>

namespace sennit::net {

// The first read of an event: holds any usual request with its head in one system call.
inline constexpr size_t kInitialReadBytes = 16 * 1024;
// Reads that fill up are doubled to this, for bulk transfers.
inline constexpr size_t kMaxReadBytes = 128 * 1024;
// After this much from one connection the others get their turn.
inline constexpr size_t kMaxReadBytesPerEvent = 256 * 1024;

// How long a closing connection may take to write out what is left (Envoy's delayed close: a peer
// that does not read must not hold a descriptor for ever).
inline constexpr std::chrono::milliseconds kFlushTimeout{5000};
// How long a written-out connection waits for the peer's close (Envoy: delayed_close_timeout 1 s).
inline constexpr std::chrono::milliseconds kLingerTimeout{1000};

}  // namespace sennit::net

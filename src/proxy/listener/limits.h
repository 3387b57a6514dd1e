// The numbers of src/proxy/listener/, each with its reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sennit::proxy {

// Connections taken per event of a listening socket, so that those that exist get their turn.
inline constexpr uint32_t kMaxAcceptsPerEvent = 64;
// How long accepting pauses when the process is out of descriptors: the kernel's queue holds the
// clients meanwhile, and the loop does not spin.
inline constexpr std::chrono::milliseconds kAcceptPause{100};
// Envoy's listener_filters_timeout.
inline constexpr std::chrono::milliseconds kListenerFiltersTimeout{15000};
// A handshake that takes longer is given up where transport_socket_connect_timeout says nothing: a
// silent client must not hold a descriptor.
inline constexpr std::chrono::milliseconds kHandshakeTimeout{30000};
// Envoy's per_connection_buffer_limit_bytes.
inline constexpr uint32_t kBufferLimit = 1024 * 1024;
// Envoy's TCP proxy idle timeout.
inline constexpr std::chrono::milliseconds kTcpIdleTimeout{3600000};

// A workload's names and labels; Istio's own take some hundred bytes. A peer that claims more is
// not one of ours.
inline constexpr size_t kMaxPeerAnnouncement = 64 * 1024;
// How long a peer that agreed to metadata exchange may take to say who it is.
inline constexpr std::chrono::milliseconds kPeerExchangeTimeout{10000};

// TCP metrics are reported no more often than this, whatever tcp_reporting_duration says.
inline constexpr std::chrono::milliseconds kMinTcpReportingInterval{100};

}  // namespace sennit::proxy

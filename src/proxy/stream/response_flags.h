// Why a request ended as it did: the one enumeration shared by access logs, metrics, admin, CLI
// and dashboard. Short names are Envoy's %RESPONSE_FLAGS%.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sennit::proxy {

enum class ResponseFlag : uint8_t {
  FailedLocalHealthCheck,            // LH
  NoHealthyUpstream,                 // UH
  UpstreamRequestTimeout,            // UT
  LocalReset,                        // LR
  UpstreamRemoteReset,               // UR
  UpstreamConnectionFailure,         // UF
  UpstreamConnectionTermination,     // UC
  UpstreamOverflow,                  // UO
  NoRouteFound,                      // NR
  DelayInjected,                     // DI
  FaultInjected,                     // FI
  RateLimited,                       // RL
  UnauthorizedExternalService,       // UAEX
  RateLimitServiceError,             // RLSE
  DownstreamConnectionTermination,   // DC
  UpstreamRetryLimitExceeded,        // URX
  StreamIdleTimeout,                 // SI
  InvalidEnvoyRequestHeaders,        // IH
  DownstreamProtocolError,           // DPE
  UpstreamMaxStreamDurationReached,  // UMSDR
  NoFilterConfigFound,               // NFCF
  DurationTimeout,                   // DT
  UpstreamProtocolError,             // UPE
  NoClusterFound,                    // NC
  OverloadManager,                   // OM
  DnsResolutionFailed,               // DF
  DownstreamRemoteReset,             // DR
  Count,
};

struct ResponseFlagText {
  std::string_view code;      // "UH"
  std::string_view name;      // "NoHealthyUpstream"
  std::string_view sentence;  // for a person
};
const ResponseFlagText& response_flag_text(ResponseFlag flag);

class ResponseFlags {
 public:
  void set(ResponseFlag flag) { bits_ |= 1u << static_cast<uint8_t>(flag); }
  bool has(ResponseFlag flag) const { return bits_ & (1u << static_cast<uint8_t>(flag)); }
  bool any() const { return bits_ != 0; }
  uint32_t bits() const { return bits_; }
  // "UH,URX" in enumeration order; "-" when none.
  std::string to_string() const;

 private:
  uint32_t bits_ = 0;
};

}  // namespace sennit::proxy

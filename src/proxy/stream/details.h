// Envoy's response code details and bodies of replies that the proxy makes itself: what access logs
// print as %RESPONSE_CODE_DETAILS% and what operators search for.
#pragma once

#include <string_view>

namespace sennit::proxy::details {

inline constexpr std::string_view kViaUpstream = "via_upstream";
inline constexpr std::string_view kDirectResponse = "direct_response";
inline constexpr std::string_view kRouteNotFound = "route_not_found";
inline constexpr std::string_view kClusterNotFound = "cluster_not_found";
inline constexpr std::string_view kNoHealthyUpstream = "no_healthy_upstream";
inline constexpr std::string_view kResponseTimeout = "response_timeout";
inline constexpr std::string_view kPerTryTimeout = "upstream_per_try_timeout";
inline constexpr std::string_view kPerTryIdleTimeout = "upstream_per_try_idle_timeout";
inline constexpr std::string_view kUpstreamMaxDuration = "upstream_max_stream_duration_reached";
inline constexpr std::string_view kStreamIdleTimeout = "stream_idle_timeout";
inline constexpr std::string_view kRequestTimeout = "request_overall_timeout";
inline constexpr std::string_view kRequestHeaderTimeout = "request_header_timeout";
inline constexpr std::string_view kMaxDuration = "max_duration_timeout";
inline constexpr std::string_view kPathNormalization = "path_normalization_failed";
inline constexpr std::string_view kMissingHost = "missing_host_header";
inline constexpr std::string_view kMissingPath = "missing_path_rejected";
inline constexpr std::string_view kAbsolutePath = "absolute_path_rejected";
inline constexpr std::string_view kUpgradeFailed = "upgrade_failed";
inline constexpr std::string_view kUnderscoreHeader = "unexpected_underscore";
inline constexpr std::string_view kDownstreamRemoteDisconnect = "downstream_remote_disconnect";
inline constexpr std::string_view kDownstreamLocalDisconnect = "downstream_local_disconnect";
inline constexpr std::string_view kDownstreamRemoteReset = "remote_reset";

}  // namespace sennit::proxy::details

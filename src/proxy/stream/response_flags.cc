#include "proxy/stream/response_flags.h"

#include <array>

namespace sennit::proxy {
namespace {

constexpr std::array<ResponseFlagText, static_cast<size_t>(ResponseFlag::Count)> kTexts = {{
    {"LH", "FailedLocalHealthCheck", "the proxy's own health check failed"},
    {"UH", "NoHealthyUpstream", "no healthy host in the upstream cluster"},
    {"UT", "UpstreamRequestTimeout", "the upstream took longer than the route's timeout"},
    {"LR", "LocalReset", "the proxy reset the request"},
    {"UR", "UpstreamRemoteReset", "the upstream reset the request"},
    {"UF", "UpstreamConnectionFailure", "no connection to the upstream could be made"},
    {"UC", "UpstreamConnectionTermination", "the upstream closed the connection"},
    {"UO", "UpstreamOverflow", "a circuit breaker was open"},
    {"NR", "NoRouteFound", "no route matched the request"},
    {"DI", "DelayInjected", "a delay was injected"},
    {"FI", "FaultInjected", "the request was aborted by fault injection"},
    {"RL", "RateLimited", "the request was rate limited"},
    {"UAEX", "UnauthorizedExternalService", "the external authorization service said no"},
    {"RLSE", "RateLimitServiceError", "the rate limit service failed"},
    {"DC", "DownstreamConnectionTermination", "the client went away"},
    {"URX", "UpstreamRetryLimitExceeded", "all retries were used up"},
    {"SI", "StreamIdleTimeout", "nothing was sent for too long"},
    {"IH", "InvalidEnvoyRequestHeaders", "a header of the request has an invalid value"},
    {"DPE", "DownstreamProtocolError", "the client's request is not valid HTTP"},
    {"UMSDR", "UpstreamMaxStreamDurationReached", "the request reached its longest duration"},
    {"NFCF", "NoFilterConfigFound", "a filter's configuration has not come"},
    {"DT", "DurationTimeout", "the request or connection reached its longest duration"},
    {"UPE", "UpstreamProtocolError", "the upstream's response is not valid HTTP"},
    {"NC", "NoClusterFound", "the route's cluster does not exist"},
    {"OM", "OverloadManager", "the proxy is overloaded"},
    {"DF", "DnsResolutionFailed", "the upstream's name did not resolve"},
    {"DR", "DownstreamRemoteReset", "the client reset the request"},
}};

}  // namespace

const ResponseFlagText& response_flag_text(ResponseFlag flag) {
  return kTexts[static_cast<size_t>(flag)];
}

std::string ResponseFlags::to_string() const {
  if (!any()) return "-";
  std::string text;
  for (size_t i = 0; i < kTexts.size(); ++i) {
    if (!has(static_cast<ResponseFlag>(i))) continue;
    if (!text.empty()) text += ',';
    text += kTexts[i].code;
  }
  return text;
}

}  // namespace sennit::proxy

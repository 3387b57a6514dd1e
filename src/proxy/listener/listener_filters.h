// What looks at a connection before its filter chain is chosen: original_dst, proxy_protocol,
// tls_inspector, http_inspector. They peek; only the PROXY header is taken off the stream.
#pragma once

#include <envoy/config/listener/v3/listener_components.pb.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "proxy/listener/filter_chain_match.h"

namespace sennit::proxy {

struct ListenerFilter {
  enum class Kind : uint8_t { OriginalDst, ProxyProtocol, TlsInspector, HttpInspector };
  Kind kind;
  bool optional_proxy_header = false;  // allow_requests_without_proxy_protocol
  // filter_disabled: the destinations for which it is passed over.
  envoy::config::listener::v3::ListenerFilterChainMatchPredicate disabled;
  bool may_be_disabled = false;

  bool applies_to(const net::Address& destination) const;

  static Result<ListenerFilter> create(const envoy::config::listener::v3::ListenerFilter& config);
};

enum class FilterStep { Next, NeedMore, Refuse };

// Runs one filter on a socket with what is there now. `restored`: the destination is the original
// one (SO_ORIGINAL_DST or a PROXY header).
FilterStep run_listener_filter(const ListenerFilter& filter, int fd, ConnectionFacts& facts,
                               bool& restored);

}  // namespace sennit::proxy

// What happens to a request's head before anything looks at it: Envoy's rules of who may say what
// in x-forwarded-*, x-envoy-* and x-request-id, one spelling of path and host, hop-by-hop fields
// gone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/header_map.h"
#include "proxy/stream/hcm_settings.h"
#include "proxy/stream/random.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

// A head that is refused: answer so.
struct HeadRefusal {
  int status = 400;
  std::string_view details;
  std::string location;  // redirects
};

struct RequestHead {
  std::string upgrade;  // lower case; empty: not an upgrade. "connect" for CONNECT
  bool is_head = false;
  bool internal = false;
  // The client by x-forwarded-for, where that is another than the connection's; none: the
  // connection's own.
  std::optional<net::Address> client;
};

// Which checks and rewrites need no connection: method, host, path, underscores.
std::optional<HeadRefusal> check_head(const HcmSettings& settings, http::HeaderMap& request,
                                      const DownstreamInfo& downstream, RequestHead& head);

// Forwarding headers. `cert_element`: see client_cert_element().
void mark_forwarded(const HcmSettings& settings, http::HeaderMap& request,
                    const DownstreamInfo& downstream, std::string_view cert_element, Random& random,
                    RequestHead& head);

// Removes hop-by-hop fields (RFC 9110 §7.6.1) and those that Connection names; an upgrade's
// Connection and Upgrade stay, as the only option. `te: trailers` stays. The codecs write no
// framing field that they are given; this is for filters and logs, and for what Connection names.
void remove_hop_by_hop(http::HeaderMap& headers, std::string_view upgrade);

// The address `trusted_hops` before the last one of x-forwarded-for; none where it is not there or
// not an address. `single`: the header has one address only.
std::optional<net::Address> address_from_xff(std::string_view xff, uint32_t trusted_hops,
                                             bool& single);

}  // namespace sennit::proxy

// The PROXY protocol's header, versions 1 and 2 (haproxy.org, proxy-protocol.txt).
#pragma once

#include <string_view>

#include "net/address.h"
#include "proxy/listener/client_hello.h"

namespace sennit::proxy {

struct ProxyHeader {
  net::Address source, destination;  // invalid for LOCAL and UNKNOWN: keep the socket's
  size_t length = 0;                 // bytes of the header, to be taken off the stream
};

// The longest header read: version 2 with as many TLVs as are worth having.
inline constexpr size_t kMaxProxyHeader = 4096;

Inspection inspect_proxy_header(std::string_view bytes, ProxyHeader& header);

}  // namespace sennit::proxy

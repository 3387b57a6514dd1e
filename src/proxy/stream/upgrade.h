// Upgrades between protocols: HTTP/1's `Connection: upgrade` and 101 against HTTP/2's extended
// CONNECT and 200 (RFC 8441). Inside, requests and responses are in HTTP/1's form.
#pragma once

#include <string_view>

#include "http/header_map.h"

namespace sennit::proxy {

// For an HTTP/2 upstream: GET + upgrade becomes CONNECT + :protocol.
void upgrade_request_to_http2(http::HeaderMap& request, std::string_view upgrade);
// From an HTTP/2 upstream: 2xx means that it was accepted and becomes 101.
void upgrade_response_from_http2(http::HeaderMap& response, std::string_view upgrade);
// To an HTTP/2 client: 101 becomes 200.
void upgrade_response_to_http2(http::HeaderMap& response);

}  // namespace sennit::proxy

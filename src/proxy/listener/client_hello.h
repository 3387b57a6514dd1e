// Reads a TLS ClientHello without taking part in the handshake: its server name and the protocols
// that it offers. Hostile input is the normal case: every length is checked, nothing is copied
// that is not asked for. RFC 8446 §4.1.2, RFC 6066 §3 (SNI), RFC 7301 §3.1 (ALPN).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sennit::proxy {

struct ClientHello {
  std::string server_name;  // lower case; empty: none
  std::vector<std::string> alpn;
};

enum class Inspection { Found, NotThis, NeedMore };

// More than any client sends (post-quantum key shares included); a longer one is not TLS to us.
inline constexpr size_t kMaxClientHello = 16 * 1024;

// `bytes` is the start of a connection. NotThis: it is no TLS, or malformed; NeedMore: a prefix of
// a ClientHello, at most kMaxClientHello long.
Inspection inspect_client_hello(std::string_view bytes, ClientHello& hello);

}  // namespace sennit::proxy

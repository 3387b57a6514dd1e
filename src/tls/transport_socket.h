// The TLS layer of one connection. For src/tls/ only: contexts make them.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "net/connection.h"

namespace sennit::tls {

// What a context shares with its connections.
class ContextBase {
 public:
  virtual ~ContextBase() = default;
  virtual bool verifies_peer() const = 0;
  // Called once per finished handshake, before the connection is said to be open. An empty string
  // accepts it; another is why not.
  virtual std::string check_established(SSL* ssl) const = 0;
};

// Why the verification of this connection's peer failed, for its failure reason; set by the
// context's callback. Owned by the transport socket.
struct HandshakeState {
  std::string verify_failure;
  bool peer_validated = false;
};
HandshakeState* handshake_state(const SSL* ssl);

std::unique_ptr<net::TransportSocket> make_transport_socket(
    bssl::UniquePtr<SSL> ssl, std::shared_ptr<const ContextBase> context);

}  // namespace sennit::tls

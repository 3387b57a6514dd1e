// Chooses a connection's filter chain by Envoy's rules: one criterion after another, at each only
// the most specific match stays, and a choice made is never taken back (Envoy: FilterChainMatch).
// Order: destination port, destination address, server name, transport protocol, application
// protocols, directly connected source address, source type, source address, source port.
#pragma once

#include <envoy/config/listener/v3/listener_components.pb.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/address.h"

namespace sennit::proxy {

// What is known of a connection when its chain is chosen.
struct ConnectionFacts {
  net::Address destination;    // restored, where it was redirected
  net::Address source;         // the client, by PROXY protocol where there was one
  net::Address direct_source;  // the socket's peer
  std::string server_name;     // lower case
  std::string_view transport_protocol = "raw_buffer";
  std::vector<std::string> application_protocols;
};

class FilterChainMatcher {
 public:
  // Adds the rules of the chain of the next index. Errors name the field; a rule equal to an
  // earlier one is an error, as which of the two were meant could not be told.
  Status add(const envoy::config::listener::v3::FilterChainMatch& match);

  // The index of the chain, or nullopt where none fits.
  std::optional<size_t> find(const ConnectionFacts& facts) const;

 private:
  struct Rule {
    std::optional<uint16_t> destination_port;
    std::vector<net::Cidr> destinations;
    std::vector<std::string> server_names;  // lower case; "*.x" kept as ".x"
    std::string transport_protocol;
    std::vector<std::string> application_protocols;
    std::vector<net::Cidr> direct_sources;
    int source_type = 0;  // 0 any, 1 same address or loopback, 2 external
    std::vector<net::Cidr> sources;
    std::vector<uint32_t> source_ports;
  };
  std::vector<Rule> rules_;
  std::vector<std::string> seen_;  // serialized rules
};

}  // namespace sennit::proxy

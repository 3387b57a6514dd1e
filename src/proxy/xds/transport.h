// What carries discovery: bidirectional gRPC calls, one message at a time. The state machines above
// it are tested with a transport of the test's own; cluster_transport.h is the real one.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace sennit::proxy {

class CallCallbacks {
 public:
  virtual void on_message(std::string_view message) = 0;
  // The call is over: refused, broken, or ended by the server. Called at most once, and never from
  // inside `open`. The Call may not be destroyed from inside any of these.
  virtual void on_closed(const std::string& reason) = 0;

 protected:
  ~CallCallbacks() = default;
};

// Destroying it cancels the call; no callback comes afterwards.
class Call {
 public:
  virtual ~Call() = default;
  virtual void send(std::string_view message) = 0;
};

class DiscoveryTransport {
 public:
  virtual ~DiscoveryTransport() = default;
  // `method` as in HTTP/2's :path; `cluster` names who is called.
  virtual std::unique_ptr<Call> open(const std::string& cluster, const std::string& method,
                                     CallCallbacks& callbacks) = 0;
};

}  // namespace sennit::proxy

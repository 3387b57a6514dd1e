// Pairs of connections over loopback on one event loop, for tests. The loop is turned until what
// the test waits for has happened; a test that waits in vain fails after kPatience.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/connection.h"
#include "net/listen.h"

namespace sennit::net {

inline constexpr Milliseconds kPatience{10'000};

inline bool run_until(EventLoop& loop, const std::function<bool()>& done) {
  const auto deadline = Clock::now() + kPatience;
  while (!done()) {
    if (Clock::now() > deadline) return false;
    loop.run_once(Milliseconds(20));
  }
  return true;
}

// Remembers everything; does more where a test says so.
struct Recorder final : ConnectionCallbacks {
  std::string received;
  bool ended = false;
  int above = 0, below = 0;
  std::vector<ConnectionEvent> events;
  std::function<void(Buffer&)> data_action;  // instead of taking all bytes
  std::function<void(ConnectionEvent)> event_action;

  void on_data(Buffer& input, bool end_stream) override {
    ended = ended || end_stream;
    if (data_action) return data_action(input);
    received += input.view();
    input.clear();
  }
  void on_event(ConnectionEvent event) override {
    events.push_back(event);
    if (event_action) event_action(event);
  }
  void on_above_write_watermark() override { ++above; }
  void on_below_write_watermark() override { ++below; }

  bool saw(ConnectionEvent event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }
  bool closed() const {
    return saw(ConnectionEvent::RemoteClose) || saw(ConnectionEvent::LocalClose);
  }
};

using MakeTransport = std::function<std::unique_ptr<TransportSocket>()>;

struct Pair {
  std::unique_ptr<Connection> client, server;
  Recorder at_client, at_server;
};

// Connects a client to a server; their handshakes are still to come. The server has not started.
inline std::unique_ptr<Pair> connect_pair(EventLoop& loop, const MakeTransport& client_transport,
                                          const MakeTransport& server_transport) {
  auto pair = std::make_unique<Pair>();
  auto listening = listen_on(*Address::ip("127.0.0.1", 0), {});
  EXPECT_TRUE(listening) << listening.error().message;
  const auto address = bound_address(listening->get());
  pair->client = Connection::connect(loop, address, {}, client_transport());
  pair->client->set_callbacks(&pair->at_client);
  UniqueFd accepted;
  const bool came = run_until(loop, [&] {
    accepted.reset(::accept4(listening->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return accepted.valid();
  });
  EXPECT_TRUE(came);
  pair->server = Connection::accepted(loop, std::move(accepted), address,
                                      *Address::ip("127.0.0.1", 1), server_transport());
  pair->server->set_callbacks(&pair->at_server);
  return pair;
}

}  // namespace sennit::net

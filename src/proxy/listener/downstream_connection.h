// An accepted connection from its first byte to its end: listener filters, hand-off to the
// listener of its original destination, choice of the filter chain, handshake, metadata
// exchange, RBAC, then whatever
// serves it. Worker thread only.
#pragma once

#include <list>
#include <memory>

#include "proxy/listener/listener_config.h"
#include "proxy/listener/peer_exchange.h"

namespace sennit::proxy {

class DownstreamConnection;

// What the worker's listeners do for their connections.
class ConnectionOwner {
 public:
  virtual WorkerContext& worker() = 0;
  // The listener for connections that were meant for `original`; nullptr: none.
  virtual std::shared_ptr<const ListenerConfigImpl> listener_for(const net::Address& original) = 0;
  // The connection is over. The owner destroys it by defer_delete.
  virtual void connection_done(DownstreamConnection& connection) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class DownstreamConnection final : public net::DeferredDeletable,
                                   private net::IoHandler,
                                   private net::ConnectionCallbacks {
 public:
  DownstreamConnection(ConnectionOwner& owner, std::shared_ptr<const ListenerConfigImpl> config,
                       UniqueFd fd, const net::Address& local, const net::Address& remote);
  ~DownstreamConnection() override;

  // Goes as far as it can; may end the connection (connection_done) from inside.
  void start();
  void drain();
  void close();
  const ListenerConfigImpl& config() const { return *config_; }

  // Where the owner keeps it.
  std::list<std::unique_ptr<DownstreamConnection>>::iterator position;

 private:
  void on_io(uint32_t events) override;
  void on_data(net::Buffer& input, bool end_stream) override;
  void on_event(net::ConnectionEvent event) override;

  void run_filters();
  void wait_for_bytes();
  void on_timeout();
  void choose_chain();
  bool hand_off();
  void make_connection();
  void on_secured();
  bool begin_exchange();
  void serve();
  void log_unserved(ResponseFlag flag, std::string_view details);
  void on_handshake_failed();
  void finish();
  stats::Shard& stats() { return owner_.worker().stats; }
  net::EventLoop& loop() { return owner_.worker().loop; }

  ConnectionOwner& owner_;
  std::shared_ptr<const ListenerConfigImpl> config_;
  UniqueFd fd_;  // until there is a connection
  net::Address direct_local_;
  ConnectionFacts facts_;
  size_t next_filter_ = 0;
  bool restored_ = false;
  bool handed_off_ = false;
  bool watching_ = false;
  bool draining_ = false;
  bool done_ = false;
  net::TimePoint accepted_at_;
  std::unique_ptr<net::Timer> timer_;  // listener filters, then handshake, then metadata exchange
  const FilterChain* chain_ = nullptr;
  std::unique_ptr<PeerExchange> exchange_;  // while it goes on
  std::shared_ptr<DownstreamInfo> info_;
  std::unique_ptr<net::Connection> connection_;  // until it is served
  std::unique_ptr<ServedConnection> served_;
};

}  // namespace sennit::proxy

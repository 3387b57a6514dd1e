// One upstream connection of a pool: the connection, its codec, and its timers. Owned by the pool;
// deleted after the batch of events in which it closed.
#pragma once

#include <memory>

#include "proxy/upstream/connection_pool.h"

namespace sennit::proxy {

class PooledConnection final : public net::DeferredDeletable,
                               private net::ConnectionCallbacks,
                               private http::ClientCodecCallbacks {
 public:
  PooledConnection(ConnectionPool& pool, std::unique_ptr<net::Connection> connection);
  ~PooledConnection() override;

  bool connected() const { return codec_ != nullptr; }
  bool has_room() const;
  size_t active() const { return active_; }
  // No new streams: closes when the last one ends.
  void retire() { retired_ = true; }
  bool done() const { return retired_ && active_ == 0; }
  http::RequestEncoder& new_stream(http::ResponseDecoder& decoder);
  bool reused() const { return served_ > 1; }
  net::Connection& connection() { return *connection_; }
  http::Protocol protocol() const { return codec_->protocol(); }

  size_t index = 0;       // in the pool's connections_
  bool is_ready = false;  // in the pool's ready_

 private:
  void on_data(net::Buffer& input, bool end_stream) override;
  void on_event(net::ConnectionEvent event) override;
  void on_above_write_watermark() override;
  void on_below_write_watermark() override;
  void on_goaway() override;
  void on_max_concurrent_streams(uint32_t) override;
  void on_stream_closed(http::RequestEncoder& encoder) override;
  void become_connected();
  void set_idle();

  ConnectionPool& pool_;
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<http::ClientCodec> codec_;
  std::unique_ptr<net::Timer> idle_timer_, duration_timer_;
  net::TimePoint began_;
  uint64_t served_ = 0;
  size_t active_ = 0;
  bool retired_ = false;
};

}  // namespace sennit::proxy

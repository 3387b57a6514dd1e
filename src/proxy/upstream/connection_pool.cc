#include "proxy/upstream/connection_pool.h"

#include <algorithm>
#include <array>

#include "proxy/upstream/pooled_connection.h"

namespace sennit::proxy {
namespace {

const std::string kH2[] = {"h2"};
const std::string kHttp11[] = {"http/1.1"};
const std::string kBoth[] = {"h2", "http/1.1"};

std::span<const std::string> implied_alpn(ClusterInfo::HttpVersion version) {
  switch (version) {
    case ClusterInfo::HttpVersion::Http2:
      return kH2;
    case ClusterInfo::HttpVersion::Auto:
      return kBoth;
    default:
      return kHttp11;
  }
}

}  // namespace

// A request in the queue. Destroying it while it waits cancels.
struct ConnectionPool::Waiting final : PendingStream {
  Waiting(ConnectionPool& p, http::ResponseDecoder& d, StreamRequestCallbacks& c)
      : pool(&p), decoder(d), callbacks(c) {}
  ~Waiting() override {
    if (!pool) return;
    ConnectionPool& from = *pool;
    from.unlink(*this);
    from.shard().inc(from.stats().rq_cancelled);
    if (from.draining_) from.context_.loop.schedule_flush(&from);
  }
  ConnectionPool* pool;  // nullptr: no longer waits
  http::ResponseDecoder& decoder;
  StreamRequestCallbacks& callbacks;
  Waiting* previous = nullptr;
  Waiting* next = nullptr;
};

bool PoolKey::matches(ClusterInfo::HttpVersion wanted, const StreamOptions& options,
                      std::string_view name) const {
  return version == wanted && priority == options.priority && server_name == name &&
         std::equal(alpn_override.begin(), alpn_override.end(), options.alpn_override.begin(),
                    options.alpn_override.end());
}

ConnectionPool::ConnectionPool(PoolContext context, HostPtr host, PoolKey key)
    : context_(std::move(context)),
      host_(std::move(host)),
      key_(std::move(key)),
      multiplexes_(key_.version == ClusterInfo::HttpVersion::Http2) {}

ConnectionPool::~ConnectionPool() {
  context_.loop.cancel_flush(this);
  while (first_waiting_) unlink(*first_waiting_);
  for (auto& connection : connections_) {
    connection_breaker().release();
    for (size_t i = 0; i < connection->active(); ++i) request_breaker().release();
  }
}

Breaker ConnectionPool::breaker(BreakerCount PriorityBreakers::*count,
                                uint32_t CircuitBreakers::*limit,
                                const stats::GaugeId (ClusterStats::*open)[2]) {
  const uint32_t p = key_.priority;
  return {context_.breakers->priorities[p].*count, info().breakers[p].*limit, (stats().*open)[p],
          shard()};
}
Breaker ConnectionPool::connection_breaker() {
  return breaker(&PriorityBreakers::connections, &CircuitBreakers::max_connections,
                 &ClusterStats::cx_open);
}
Breaker ConnectionPool::pending_breaker() {
  return breaker(&PriorityBreakers::pending, &CircuitBreakers::max_pending_requests,
                 &ClusterStats::rq_pending_open);
}
Breaker ConnectionPool::request_breaker() {
  return breaker(&PriorityBreakers::requests, &CircuitBreakers::max_requests,
                 &ClusterStats::rq_open);
}

std::unique_ptr<PendingStream> ConnectionPool::new_stream(http::ResponseDecoder& decoder,
                                                          StreamRequestCallbacks& callbacks) {
  if (!ready_.empty() && !first_waiting_) {
    attach(*ready_.back(), decoder, callbacks);
    return nullptr;
  }
  if (!pending_breaker().acquire()) {
    shard().inc(stats().rq_pending_overflow);
    callbacks.on_pool_failure(PoolFailure::Overflow, "");
    return nullptr;
  }
  auto waiting = std::make_unique<Waiting>(*this, decoder, callbacks);
  link(*waiting);
  shard().inc(stats().rq_pending_total);
  connect_for_waiting();
  if (!waiting->pool) return nullptr;  // failed at once, and was told so
  return waiting;
}

void ConnectionPool::link(Waiting& waiting) {
  waiting.previous = last_waiting_;
  (last_waiting_ ? last_waiting_->next : first_waiting_) = &waiting;
  last_waiting_ = &waiting;
  ++waiting_count_;
  shard().add(stats().rq_pending_active, 1);
}

void ConnectionPool::unlink(Waiting& waiting) {
  (waiting.previous ? waiting.previous->next : first_waiting_) = waiting.next;
  (waiting.next ? waiting.next->previous : last_waiting_) = waiting.previous;
  waiting.pool = nullptr;
  --waiting_count_;
  pending_breaker().release();
  shard().add(stats().rq_pending_active, -1);
}

bool ConnectionPool::attach(PooledConnection& connection, http::ResponseDecoder& decoder,
                            StreamRequestCallbacks& callbacks) {
  if (!request_breaker().acquire()) {
    shard().inc(stats().rq_pending_overflow);
    callbacks.on_pool_failure(PoolFailure::Overflow, "");
    return false;
  }
  shard().inc(stats().rq_total);
  shard().add(stats().rq_active, 1);
  host_->active_requests.fetch_add(1, std::memory_order_relaxed);
  host_->numbers.rq_total.fetch_add(1, std::memory_order_relaxed);
  http::RequestEncoder& encoder = connection.new_stream(decoder);
  set_ready(connection, connection.has_room());
  callbacks.on_pool_ready(encoder, connection.protocol(), connection.connection(),
                          connection.reused());
  return true;
}

void ConnectionPool::serve_waiting() {
  while (first_waiting_ && !ready_.empty()) {
    Waiting& waiting = *first_waiting_;
    unlink(waiting);
    attach(*ready_.back(), waiting.decoder, waiting.callbacks);
  }
}

void ConnectionPool::connect_for_waiting() {
  // A connection that is being made will carry one request, or as many as HTTP/2 allows.
  const size_t each = multiplexes_ ? info().http2_options.limits.max_concurrent_streams : 1;
  while (waiting_count_ > connecting_ * each) {
    if (!connect()) break;
  }
  if (!connect_failure_.empty() && connecting_ == 0) {
    fail_waiting(PoolFailure::ConnectFailure, std::exchange(connect_failure_, {}));
  }
}

bool ConnectionPool::connect() {
  connect_failure_.clear();
  Breaker limit = connection_breaker();
  if (!limit.acquire()) {
    shard().inc(stats().cx_overflow);
    // A pool without any connection may make one: its requests would wait for ever.
    if (!connections_.empty()) return false;
    limit.force();
  }
  TransportSocketParams params;
  params.server_name_override = key_.server_name;
  params.alpn_override = key_.alpn_override;
  params.alpn_fallback = implied_alpn(key_.version);
  auto transport =
      context_.config->transports[host_->transport_socket_index].factory->create(params);
  if (!transport) {
    limit.release();
    shard().inc(stats().cx_connect_fail);
    connect_failure_ = "TLS_error: Secret is not supplied by SDS";
    return false;
  }
  auto connection = std::make_unique<PooledConnection>(
      *this, net::Connection::connect(context_.loop, host_->address, context_.config->connect,
                                      std::move(transport)));
  connection->index = connections_.size();
  connections_.push_back(std::move(connection));
  ++connecting_;
  shard().inc(stats().cx_total);
  shard().add(stats().cx_active, 1);
  host_->numbers.cx_total.fetch_add(1, std::memory_order_relaxed);
  host_->numbers.cx_active.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void ConnectionPool::set_ready(PooledConnection& connection, bool ready) {
  if (connection.is_ready == ready) return;
  connection.is_ready = ready;
  if (ready) {
    ready_.push_back(&connection);
  } else {
    ready_.erase(std::find(ready_.begin(), ready_.end(), &connection));
  }
}

void ConnectionPool::on_connected(PooledConnection& connection) {
  --connecting_;
  if (connection.protocol() == http::Protocol::Http2) multiplexes_ = true;
  set_ready(connection, connection.has_room());
  serve_waiting();
  connect_for_waiting();
  if (draining_) context_.loop.schedule_flush(this);
}

void ConnectionPool::on_stream_done(PooledConnection& connection) {
  request_breaker().release();
  shard().add(stats().rq_active, -1);
  host_->active_requests.fetch_sub(1, std::memory_order_relaxed);
  set_ready(connection, connection.has_room());
  // Not from inside the codec: closing, and the next request, come at the end of the batch.
  if (connection.done() || first_waiting_ || draining_) context_.loop.schedule_flush(this);
}

void ConnectionPool::on_closed(PooledConnection& closed, net::ConnectionEvent event) {
  const bool was_connecting = !closed.connected();
  const net::Connection& connection = closed.connection();
  shard().inc(stats().cx_destroy);
  shard().inc(event == net::ConnectionEvent::LocalClose ? stats().cx_destroy_local
                                                        : stats().cx_destroy_remote);
  shard().add(stats().cx_active, -1);
  shard().inc(stats().cx_rx_bytes_total, connection.bytes_read());
  shard().inc(stats().cx_tx_bytes_total, connection.bytes_written());
  host_->numbers.cx_active.fetch_sub(1, std::memory_order_relaxed);
  connection_breaker().release();

  std::unique_ptr<PooledConnection> owned = std::move(connections_[closed.index]);
  if (closed.index + 1 != connections_.size()) {
    connections_[closed.index] = std::move(connections_.back());
    connections_[closed.index]->index = closed.index;
  }
  connections_.pop_back();
  context_.loop.defer_delete(std::move(owned));
  context_.loop.schedule_flush(this);
  if (!was_connecting) return;
  --connecting_;
  shard().inc(stats().cx_connect_fail);
  host_->numbers.cx_connect_fail.fetch_add(1, std::memory_order_relaxed);
  if (connection.connect_timed_out()) shard().inc(stats().cx_connect_timeout);
  fail_waiting(
      connection.connect_timed_out() ? PoolFailure::ConnectTimeout : PoolFailure::ConnectFailure,
      connection.transport_failure_reason());
}

void ConnectionPool::fail_waiting(PoolFailure reason, std::string_view detail) {
  const std::string why(detail);
  // Requests that arrive from inside the callbacks (retries) wait for a connection of their own.
  for (size_t count = waiting_count_; count > 0 && first_waiting_; --count) {
    Waiting& waiting = *first_waiting_;
    unlink(waiting);
    shard().inc(stats().rq_pending_failure_eject);
    waiting.callbacks.on_pool_failure(reason, why);
  }
}

void ConnectionPool::drain() {
  draining_ = true;
  for (auto& connection : connections_) {
    if (!connection->connected() && first_waiting_) continue;
    connection->retire();
    set_ready(*connection, false);
  }
  context_.loop.schedule_flush(this);
}

void ConnectionPool::on_flush() {
  serve_waiting();
  if (draining_ && !first_waiting_) {
    for (auto& connection : connections_) {
      connection->retire();
      set_ready(*connection, false);
    }
  }
  // Closing takes a connection out of connections_ and puts another in its place.
  for (size_t i = 0; i < connections_.size();) {
    PooledConnection& connection = *connections_[i];
    if (connection.done()) connection.connection().close(net::CloseType::NoFlush);
    if (i < connections_.size() && connections_[i].get() == &connection) ++i;
  }
  connect_for_waiting();
  if (draining_ && empty() && on_empty_) std::exchange(on_empty_, nullptr)();
}

}  // namespace sennit::proxy

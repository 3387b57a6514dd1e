#include "proxy/listener/tcp_proxy.h"

#include <algorithm>
#include <functional>

#include "proxy/listener/limits.h"
#include "proxy/listener/peer_exchange.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {
namespace {

using net::Connection;
using net::ConnectionEvent;

// One proxied connection. It lives until both sides are closed.
class TcpProxy final : public ServedConnection {
 public:
  TcpProxy(std::shared_ptr<const TcpProxyConfig> config, std::unique_ptr<Connection> downstream,
           std::shared_ptr<DownstreamInfo> info, WorkerContext& worker,
           std::function<void()> on_done);
  ~TcpProxy() override;

  void start();
  // A TCP connection has no point at which to stop: it goes on until the drain time is over.
  void drain() override {}
  void close() override;

 private:
  // One side's callbacks: passes bytes to the other side.
  struct Side final : net::ConnectionCallbacks {
    explicit Side(TcpProxy& proxy) : proxy(proxy) {}
    void on_data(net::Buffer& input, bool end_stream) override {
      proxy.forward(*this, input, end_stream);
    }
    void on_event(ConnectionEvent event) override { proxy.on_event(*this, event); }
    void on_above_write_watermark() override { proxy.other(*this).pause(true); }
    void on_below_write_watermark() override { proxy.other(*this).pause(false); }
    void pause(bool on) {
      if (connection) connection->read_disable(on);
    }
    bool open() const { return connection && connection->state() != Connection::State::Closed; }
    TcpProxy& proxy;
    std::unique_ptr<Connection> connection;
  };

  Side& other(const Side& side) { return &side == &downstream_ ? upstream_ : downstream_; }
  void forward(Side& from, net::Buffer& input, bool end_stream);
  void on_event(Side& side, ConnectionEvent event);
  void on_upstream_event(ConnectionEvent event);
  void choose_destination();
  void try_connect();
  void on_connected();
  void begin_exchange();
  bool exchange(net::Buffer& input, bool end_stream);
  void on_exchange_timeout();
  void begin_reports();
  void report(bool closed);
  void give_up(ResponseFlag flag, std::string_view details);
  void release_upstream(ConnectionEvent event);
  void on_idle();
  void on_max_duration();
  void touch() {
    if (idle_timer_) idle_timer_->enable(config_->idle_timeout);
  }
  void finish_if_closed();
  std::chrono::nanoseconds since_start() const { return worker_.loop.now() - info_.start; }

  std::shared_ptr<const TcpProxyConfig> config_;
  std::shared_ptr<DownstreamInfo> downstream_info_;
  WorkerContext& worker_;
  std::function<void()> on_done_;
  Side downstream_{*this}, upstream_{*this};
  StreamInfo info_;
  const TcpProxyConfig::Destination* destination_ = nullptr;
  std::vector<HostPtr> attempted_;
  HostPtr host_;
  bool connected_ = false;
  WorkerCluster* counting_ = nullptr;  // the cluster that counts the connection to host_
  bool done_ = false;
  std::unique_ptr<net::Timer> idle_timer_, duration_timer_;
  // Metadata exchange with the upstream peer, while it goes on.
  std::unique_ptr<PeerExchange> exchange_;
  std::unique_ptr<net::Timer> exchange_timer_, report_timer_;
  // What istio.stats has been told.
  bool reported_open_ = false;
  uint64_t reported_received_ = 0, reported_sent_ = 0;
};

TcpProxy::TcpProxy(std::shared_ptr<const TcpProxyConfig> config,
                   std::unique_ptr<Connection> downstream, std::shared_ptr<DownstreamInfo> info,
                   WorkerContext& worker, std::function<void()> on_done)
    : config_(std::move(config)),
      downstream_info_(std::move(info)),
      worker_(worker),
      on_done_(std::move(on_done)) {
  downstream_.connection = std::move(downstream);
  info_.start = worker_.loop.now();
  info_.start_time = worker_local().clock.now(info_.start);
  info_.downstream = downstream_info_.get();
  info_.downstream_peer = downstream_info_->peer;
}

TcpProxy::~TcpProxy() {
  if (downstream_.connection) downstream_.connection->set_callbacks(nullptr);
  if (upstream_.connection) upstream_.connection->set_callbacks(nullptr);
}

void TcpProxy::start() {
  worker_.stats.inc(config_->stats.cx_total);
  worker_.stats.add(config_->stats.cx_active, 1);
  auto& connection = *downstream_.connection;
  connection.set_callbacks(&downstream_);
  connection.enable_half_close(true);
  // Nothing is read before there is somewhere to send it.
  connection.read_disable(true);
  connection.start();
  if (config_->idle_timeout.count() > 0) {
    idle_timer_ = std::make_unique<net::Timer>(worker_.loop, [this] { on_idle(); });
    touch();
  }
  if (config_->max_duration.count() > 0) {
    duration_timer_ = std::make_unique<net::Timer>(worker_.loop, [this] { on_max_duration(); });
    duration_timer_->enable(config_->max_duration);
  }
  choose_destination();
  try_connect();
}

void TcpProxy::choose_destination() {
  uint64_t point = worker_local().random.next() % config_->total_weight;
  for (const auto& destination : config_->destinations) {
    destination_ = &destination;
    if (point < destination.weight) return;
    point -= destination.weight;
  }
}

void TcpProxy::try_connect() {
  WorkerCluster* cluster = worker_.clusters.find(destination_->cluster);
  if (!cluster) {
    worker_.stats.inc(config_->stats.cx_no_route);
    return give_up(ResponseFlag::NoClusterFound, "cluster_not_found");
  }
  info_.cluster = cluster->info();
  PickContext pick;
  pick.downstream = downstream_info_.get();
  pick.metadata_match = destination_->metadata_match;
  pick.attempted = attempted_;
  pick.attempt = static_cast<uint32_t>(attempted_.size());
  pick.random = worker_local().random.next();
  if (config_->hash_source_ip) {
    pick.hash = std::hash<std::string>()(downstream_info_->remote_address.ip_string());
  }
  host_ = cluster->pick(pick);
  if (!host_) return give_up(ResponseFlag::NoHealthyUpstream, "no_healthy_upstream");
  info_.upstream.host = host_;
  attempted_.push_back(host_);
  info_.upstream.attempts = static_cast<uint32_t>(attempted_.size());
  auto connection = cluster->connect(host_, {});
  if (!connection) return give_up(ResponseFlag::UpstreamOverflow, "upstream_overflow");
  counting_ = cluster;
  upstream_.connection = std::move(connection);
  upstream_.connection->set_callbacks(&upstream_);
  upstream_.connection->enable_half_close(true);
}

void TcpProxy::on_connected() {
  connected_ = true;
  auto& upstream = *upstream_.connection;
  info_.upstream.local_address = upstream.local_address();
  if (const auto* tls = upstream.tls()) {
    info_.upstream.tls = tls;
    info_.upstream.was_tls = true;
    info_.upstream.peer_principal = tls->peer_principal();
    if (!tls->local_uri_sans.empty()) info_.upstream.local_principal = tls->local_uri_sans.front();
  }
  begin_exchange();
  if (!exchange_) begin_reports();
  downstream_.connection->read_disable(false);
}

void TcpProxy::begin_exchange() {
  const auto& protocol = info_.cluster->metadata_exchange_alpn;
  const auto* tls = upstream_.connection->tls();
  if (protocol.empty() || !tls || tls->alpn != protocol) return;
  exchange_ = std::make_unique<PeerExchange>();
  upstream_.connection->write(config_->announcement);
  exchange_timer_ = std::make_unique<net::Timer>(worker_.loop, [this] { on_exchange_timeout(); });
  exchange_timer_->enable(kPeerExchangeTimeout);
}

// True when the upstream peer has said who it is, and what is left of `input` is the application's.
bool TcpProxy::exchange(net::Buffer& input, bool end_stream) {
  const auto step = exchange_->read(input);
  if (step == PeerExchange::Step::NeedMore && !end_stream) return false;
  if (step == PeerExchange::Step::Refuse) {
    info_.flags.set(ResponseFlag::UpstreamProtocolError);
    upstream_.connection->close(net::CloseType::NoFlush);
    return false;
  }
  info_.upstream.peer = exchange_->peer();
  exchange_.reset();
  exchange_timer_.reset();
  begin_reports();
  return true;
}

// A peer that is slow to speak is not waited for with the metrics.
void TcpProxy::on_exchange_timeout() {
  begin_reports();
}

void TcpProxy::begin_reports() {
  if (config_->istio_stats.empty() || report_timer_) return;
  report(false);
  auto interval = config_->istio_stats.front()->tcp_reporting_interval();
  for (const auto& stats : config_->istio_stats) {
    interval = std::min(interval, stats->tcp_reporting_interval());
  }
  interval = std::max(interval, kMinTcpReportingInterval);
  report_timer_ = std::make_unique<net::Timer>(worker_.loop, [this, interval] {
    report(false);
    report_timer_->enable(interval);
  });
  report_timer_->enable(interval);
}

void TcpProxy::report(bool closed) {
  if (config_->istio_stats.empty()) return;
  TcpProgress progress;
  progress.opened = !std::exchange(reported_open_, true);
  progress.closed = closed;
  progress.received_bytes =
      info_.bytes_received - std::exchange(reported_received_, info_.bytes_received);
  progress.sent_bytes = info_.bytes_sent - std::exchange(reported_sent_, info_.bytes_sent);
  for (const auto& stats : config_->istio_stats) stats->record_tcp(info_, progress, worker_.stats);
}

void TcpProxy::forward(Side& from, net::Buffer& input, bool end_stream) {
  touch();
  if (&from == &upstream_ && exchange_ && !exchange(input, end_stream)) return;
  Side& to = other(from);
  if (!to.open()) {
    input.clear();
    return;
  }
  const uint64_t bytes = input.size();
  const auto now = since_start();
  if (&from == &downstream_) {
    info_.bytes_received += bytes;
    info_.last_downstream_byte_received = now;
    if (bytes && info_.first_upstream_byte_sent.count() == 0) info_.first_upstream_byte_sent = now;
    if (bytes) info_.last_upstream_byte_sent = now;
    worker_.stats.inc(config_->stats.cx_rx_bytes, bytes);
  } else {
    info_.bytes_sent += bytes;
    if (bytes && info_.first_upstream_byte_received.count() == 0) {
      info_.first_upstream_byte_received = now;
    }
    if (bytes) info_.last_upstream_byte_received = now;
    worker_.stats.inc(config_->stats.cx_tx_bytes, bytes);
  }
  to.connection->output().move_from(input);
  if (bytes) to.connection->flush_soon();
  if (end_stream && to.open()) to.connection->shutdown_write();
}

void TcpProxy::on_event(Side& side, ConnectionEvent event) {
  if (&side == &upstream_) return on_upstream_event(event);
  if (event != ConnectionEvent::RemoteClose && event != ConnectionEvent::LocalClose) return;
  if (event == ConnectionEvent::RemoteClose && !connected_) {
    info_.flags.set(ResponseFlag::DownstreamConnectionTermination);
  }
  if (upstream_.open()) {
    upstream_.connection->close(connected_ && event == ConnectionEvent::RemoteClose
                                    ? net::CloseType::FlushWrite
                                    : net::CloseType::NoFlush);
  }
  finish_if_closed();
}

void TcpProxy::on_upstream_event(ConnectionEvent event) {
  if (event == ConnectionEvent::Connected) return on_connected();
  if (event != ConnectionEvent::RemoteClose && event != ConnectionEvent::LocalClose) return;
  const std::string reason(upstream_.connection->transport_failure_reason());
  info_.upstream.tls = nullptr;
  release_upstream(event);
  if (connected_ || !downstream_.open()) {
    if (downstream_.open()) downstream_.connection->close(net::CloseType::FlushWrite);
    return finish_if_closed();
  }
  info_.upstream.transport_failure_reason = reason;
  if (attempted_.size() < config_->max_connect_attempts) {
    worker_.loop.defer_delete(std::move(upstream_.connection));
    return try_connect();
  }
  info_.flags.set(ResponseFlag::UpstreamConnectionFailure);
  if (config_->max_connect_attempts > 1) info_.flags.set(ResponseFlag::UpstreamRetryLimitExceeded);
  downstream_.connection->close(net::CloseType::NoFlush);
}

void TcpProxy::release_upstream(ConnectionEvent event) {
  if (auto* cluster = std::exchange(counting_, nullptr)) {
    cluster->on_tcp_connection_closed(host_, *upstream_.connection, connected_, event);
  }
}

void TcpProxy::give_up(ResponseFlag flag, std::string_view details) {
  info_.flags.set(flag);
  info_.response_code_details = details;
  downstream_.connection->close(net::CloseType::NoFlush);
}

void TcpProxy::on_idle() {
  worker_.stats.inc(config_->stats.idle_timeout);
  info_.flags.set(ResponseFlag::StreamIdleTimeout);
  close();
}

void TcpProxy::on_max_duration() {
  worker_.stats.inc(config_->stats.max_duration_reached);
  info_.flags.set(ResponseFlag::DurationTimeout);
  close();
}

void TcpProxy::close() {
  if (upstream_.open()) upstream_.connection->close(net::CloseType::NoFlush);
  if (downstream_.open()) downstream_.connection->close(net::CloseType::NoFlush);
}

void TcpProxy::finish_if_closed() {
  if (done_ || downstream_.open() || upstream_.open()) return;
  done_ = true;
  release_upstream(ConnectionEvent::LocalClose);
  info_.end = worker_.loop.now();
  worker_.stats.add(config_->stats.cx_active, -1);
  report(true);
  for (const auto& log : config_->access_logs) log->log(info_, nullptr, nullptr, nullptr);
  idle_timer_.reset();
  duration_timer_.reset();
  exchange_timer_.reset();
  report_timer_.reset();
  on_done_();
}

}  // namespace

std::unique_ptr<ServedConnection> serve_tcp(std::shared_ptr<const TcpProxyConfig> config,
                                            std::unique_ptr<Connection> connection,
                                            std::shared_ptr<DownstreamInfo> downstream,
                                            WorkerContext& worker, std::function<void()> on_done) {
  auto proxy = std::make_unique<TcpProxy>(std::move(config), std::move(connection),
                                          std::move(downstream), worker, std::move(on_done));
  proxy->start();
  return proxy;
}

}  // namespace sennit::proxy

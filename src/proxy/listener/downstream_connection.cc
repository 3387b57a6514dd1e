#include "proxy/listener/downstream_connection.h"

#include <sys/epoll.h>

#include "proxy/listener/limits.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {

using net::ConnectionEvent;

DownstreamConnection::DownstreamConnection(ConnectionOwner& owner,
                                           std::shared_ptr<const ListenerConfigImpl> config,
                                           UniqueFd fd, const net::Address& local,
                                           const net::Address& remote)
    : owner_(owner),
      config_(std::move(config)),
      fd_(std::move(fd)),
      direct_local_(local),
      accepted_at_(owner.worker().loop.now()) {
  facts_.destination = local;
  facts_.source = facts_.direct_source = remote;
  stats().inc(config_->stats_.cx_total);
  stats().add(config_->stats_.cx_active, 1);
}

DownstreamConnection::~DownstreamConnection() {
  if (watching_) loop().remove(fd_.get());
}

void DownstreamConnection::start() {
  run_filters();
}

void DownstreamConnection::run_filters() {
  while (next_filter_ < config_->filters_.size()) {
    switch (run_listener_filter(config_->filters_[next_filter_], fd_.get(), facts_, restored_)) {
      case FilterStep::Next:
        ++next_filter_;
        break;
      case FilterStep::NeedMore:
        return wait_for_bytes();
      case FilterStep::Refuse:
        return finish();
    }
  }
  if (hand_off()) return;
  choose_chain();
}

void DownstreamConnection::wait_for_bytes() {
  if (watching_) return;
  watching_ = true;
  stats().add(config_->stats_.pre_cx_active, 1);
  // Edge-triggered: the bytes stay in the socket, so only new ones are worth a look.
  loop().add(fd_.get(), EPOLLIN | EPOLLRDHUP | EPOLLET, this);
  if (config_->filters_timeout_.count() == 0) return;
  timer_ = std::make_unique<net::Timer>(loop(), [this] { on_timeout(); });
  timer_->enable(config_->filters_timeout_);
}

void DownstreamConnection::on_io(uint32_t) {
  run_filters();
}

void DownstreamConnection::on_timeout() {
  if (connection_) {
    if (!exchange_) stats().inc(config_->stats_.ssl_connection_error);
    connection_->close(net::CloseType::NoFlush);
    return;
  }
  stats().inc(config_->stats_.pre_cx_timeout);
  if (!config_->continue_on_timeout_) return finish();
  next_filter_ = config_->filters_.size();
  run_filters();
}

// The connection was redirected here: the listener of its real destination takes it over, if there
// is one, and looks at it with its own filters. Once only.
bool DownstreamConnection::hand_off() {
  if (!config_->use_original_dst_ || !restored_ || handed_off_) return false;
  auto other = owner_.listener_for(facts_.destination);
  if (!other || other == config_) return false;
  handed_off_ = true;
  if (watching_) {
    stats().add(config_->stats_.pre_cx_active, -1);
    loop().remove(fd_.get());
    watching_ = false;
  }
  timer_.reset();
  stats().add(config_->stats_.cx_active, -1);
  config_ = std::move(other);
  stats().inc(config_->stats_.cx_total);
  stats().add(config_->stats_.cx_active, 1);
  next_filter_ = 0;
  run_filters();
  return true;
}

void DownstreamConnection::choose_chain() {
  if (watching_) {
    stats().add(config_->stats_.pre_cx_active, -1);
    loop().remove(fd_.get());
    watching_ = false;
  }
  timer_.reset();
  info_ = std::make_shared<DownstreamInfo>();
  info_->local_address = facts_.destination;
  info_->direct_local_address = direct_local_;
  info_->remote_address = facts_.source;
  info_->direct_remote_address = facts_.direct_source;
  info_->requested_server_name = facts_.server_name;
  chain_ = config_->find_chain(facts_);
  if (!chain_) {
    stats().inc(config_->stats_.no_filter_chain_match);
    log_unserved(ResponseFlag::NoRouteFound, "filter_chain_not_found");
    return finish();
  }
  make_connection();
}

void DownstreamConnection::make_connection() {
  auto transport = chain_->transport->create({});
  if (!transport) {
    stats().inc(config_->stats_.ssl_connection_error);
    return finish();
  }
  connection_ = net::Connection::accepted(loop(), std::move(fd_), facts_.destination, facts_.source,
                                          std::move(transport));
  info_->connection_id = connection_->id();
  connection_->set_write_watermark(config_->buffer_limit_);
  if (!chain_->transport->secure()) return serve();
  connection_->set_callbacks(this);
  timer_ = std::make_unique<net::Timer>(loop(), [this] { on_timeout(); });
  timer_->enable(chain_->handshake_timeout);
  connection_->start();
}

void DownstreamConnection::on_event(ConnectionEvent event) {
  if (event == ConnectionEvent::ConnectedTls) return on_secured();
  if (event == ConnectionEvent::RemoteClose && !info_->tls) return on_handshake_failed();
  if (event == ConnectionEvent::RemoteClose) {
    log_unserved(ResponseFlag::DownstreamConnectionTermination, "metadata_exchange_unfinished");
  }
  finish();
}

void DownstreamConnection::on_secured() {
  timer_.reset();
  const auto& ids = config_->stats_;
  info_->tls = connection_->tls();
  if (info_->requested_server_name.empty()) info_->requested_server_name = info_->tls->server_name;
  stats().inc(ids.ssl_handshake);
  if (info_->tls->resumed) stats().inc(ids.ssl_session_reused);
  if (!info_->tls->peer_certificate_presented) stats().inc(ids.ssl_no_certificate);
  if (!begin_exchange()) serve();
}

// False: this connection does without metadata exchange.
bool DownstreamConnection::begin_exchange() {
  const auto& protocol = chain_->filters.metadata_exchange_protocol;
  if (protocol.empty() || info_->tls->alpn != protocol) return false;
  exchange_ = std::make_unique<PeerExchange>();
  connection_->write(chain_->filters.announcement);
  timer_ = std::make_unique<net::Timer>(loop(), [this] { on_timeout(); });
  timer_->enable(kPeerExchangeTimeout);
  return true;
}

void DownstreamConnection::on_data(net::Buffer& input, bool) {
  if (!exchange_) return;
  const auto step = exchange_->read(input);
  if (step == PeerExchange::Step::NeedMore) return;
  if (step == PeerExchange::Step::Refuse) return connection_->close(net::CloseType::NoFlush);
  info_->peer = exchange_->peer();
  exchange_.reset();
  timer_.reset();
  // What is left of `input` is handed over again, to whatever serves the connection.
  auto& connection = *connection_;
  connection.read_disable(true);
  serve();
  connection.read_disable(false);
}

void DownstreamConnection::on_handshake_failed() {
  const auto reason = connection_->transport_failure_reason();
  stats().inc(config_->stats_.ssl_connection_error);
  if (reason.find("verify cert failed") != reason.npos) {
    stats().inc(config_->stats_.ssl_fail_verify_error);
  }
  log_unserved(ResponseFlag::DownstreamConnectionTermination, reason);
  finish();
}

void DownstreamConnection::serve() {
  const auto& filters = chain_->filters;
  if (const auto refusal = filters.refusal(*info_, stats()); !refusal.empty()) {
    StreamInfo info;
    info.start = info.end = loop().now();
    info.start_time = worker_local().clock.now(info.start);
    info.downstream = info_.get();
    info.connection_termination_details = refusal;
    if (filters.tcp) {
      for (const auto& log : filters.tcp->access_logs) log->log(info, nullptr, nullptr, nullptr);
    }
    connection_->set_callbacks(nullptr);
    connection_->close(net::CloseType::NoFlush);
    return finish();
  }
  const auto on_done = [this] { finish(); };
  auto& worker = owner_.worker();
  served_ = filters.http ? serve_http(filters.http, std::move(connection_), info_, worker, on_done)
                         : serve_tcp(filters.tcp, std::move(connection_), info_, worker, on_done);
  // It may have ended from inside that call.
  if (done_) {
    loop().defer_delete(std::move(served_));
  } else if (draining_) {
    served_->drain();
  }
}

void DownstreamConnection::log_unserved(ResponseFlag flag, std::string_view details) {
  if (config_->access_logs_.empty()) return;
  StreamInfo info;
  info.start = accepted_at_;
  info.end = loop().now();
  info.start_time = worker_local().clock.now(info.start);
  info.downstream = info_.get();
  info.flags.set(flag);
  info.response_code_details = details;
  for (const auto& log : config_->access_logs_) log->log(info, nullptr, nullptr, nullptr);
}

void DownstreamConnection::drain() {
  draining_ = true;
  if (served_) served_->drain();
}

void DownstreamConnection::close() {
  if (done_) return;
  if (served_) return served_->close();
  if (connection_) return connection_->close(net::CloseType::NoFlush);
  finish();
}

void DownstreamConnection::finish() {
  if (done_) return;
  done_ = true;
  const auto& ids = config_->stats_;
  if (watching_) {
    stats().add(ids.pre_cx_active, -1);
    loop().remove(fd_.get());
    watching_ = false;
  }
  timer_.reset();
  stats().inc(ids.cx_destroy);
  stats().add(ids.cx_active, -1);
  const auto length = std::chrono::duration_cast<net::Milliseconds>(loop().now() - accepted_at_);
  stats().record(ids.cx_length_ms, static_cast<uint64_t>(length.count()));
  if (served_) loop().defer_delete(std::move(served_));
  owner_.connection_done(*this);
}

}  // namespace sennit::proxy

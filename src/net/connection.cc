#include "net/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "net/limits.h"

namespace sennit::net {
namespace {

std::atomic<uint64_t> next_id{1};

void set_option(int fd, int level, int name, int value) {
  // A unix socket refuses TCP options; that is no fault.
  setsockopt(fd, level, name, &value, sizeof value);
}

void set_keepalive(int fd, const TcpKeepalive& keepalive) {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (keepalive.probes) set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive.probes);
  if (keepalive.time_s) set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive.time_s);
  if (keepalive.interval_s) set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive.interval_s);
}

Address local_address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return Address::from_sockaddr(storage, length);
}

}  // namespace

Connection::Connection(EventLoop& loop, UniqueFd fd, std::unique_ptr<TransportSocket> transport,
                       bool server_side)
    : loop_(loop),
      fd_(std::move(fd)),
      transport_(std::move(transport)),
      server_side_(server_side),
      read_size_(kInitialReadBytes),
      id_(next_id.fetch_add(1, std::memory_order_relaxed)) {}

Connection::~Connection() {
  loop_.cancel_flush(this);
  if (watched_) loop_.remove(fd_.get());
}

std::unique_ptr<Connection> Connection::accepted(EventLoop& loop, UniqueFd fd, Address local,
                                                 Address remote,
                                                 std::unique_ptr<TransportSocket> transport,
                                                 Buffer input) {
  std::unique_ptr<Connection> connection(
      new Connection(loop, std::move(fd), std::move(transport), true));
  connection->local_ = std::move(local);
  connection->remote_ = std::move(remote);
  connection->tcp_connected_ = true;
  connection->input_ = std::move(input);
  connection->redeliver_ = !connection->input_.empty();
  set_option(connection->fd_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return connection;
}

void Connection::start() {
  if (watched_) return;
  watched_ = true;
  loop_.add(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, this);
  // A plaintext connection is open at once, so that its owner may write first. A handshake that is
  // done or failed already (the peer may be quick) is told from the loop, not from inside here.
  const auto status = transport_->handshake(fd_.get()).status;
  const bool secured = transport_->tls_info() != nullptr;
  if (status == IoStatus::Ok && !secured) state_ = State::Open;
  if (status == IoStatus::Error || secured || redeliver_) loop_.requeue(fd_.get(), 0);
}

std::unique_ptr<Connection> Connection::connect(EventLoop& loop, const Address& remote,
                                                const ConnectOptions& options,
                                                std::unique_ptr<TransportSocket> transport) {
  UniqueFd fd(::socket(remote.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  std::unique_ptr<Connection> connection(
      new Connection(loop, std::move(fd), std::move(transport), false));
  connection->remote_ = remote;
  connection->timer_ =
      std::make_unique<Timer>(loop, [raw = connection.get()] { raw->on_timeout(); });
  connection->begin_connect(options);
  return connection;
}

void Connection::begin_connect(const ConnectOptions& options) {
  const int fd = fd_.get();
  int error = fd < 0 ? errno : 0;
  if (!error) {
    if (options.no_delay) set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options.keepalive) set_keepalive(fd, options.tcp_keepalive);
    if (options.source.valid()) {
      set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
      if (::bind(fd, options.source.sockaddr_ptr(), options.source.sockaddr_length()) != 0) {
        error = errno;
      }
    }
  }
  if (!error && ::connect(fd, remote_.sockaddr_ptr(), remote_.sockaddr_length()) != 0 &&
      errno != EINPROGRESS) {
    error = errno;
  }
  if (error) {
    failure_reason_ = fmt::format("immediate connect error: {}", std::strerror(error));
    timer_->enable(Milliseconds(0));
    return;
  }
  watched_ = true;
  loop_.add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, this);
  timer_->enable(options.connect_timeout);
}

void Connection::on_timeout() {
  if (state_ == State::Connecting) {
    if (failure_reason_.empty()) {
      connect_timed_out_ = true;
      failure_reason_ = "connection timeout";
    }
    finish(ConnectionEvent::RemoteClose);
  } else if (state_ == State::Closing) {
    finish(ConnectionEvent::LocalClose);
  }
}

std::string_view Connection::transport_failure_reason() const {
  const auto reason = transport_->failure_reason();
  return reason.empty() ? std::string_view(failure_reason_) : reason;
}

void Connection::on_io(uint32_t events) {
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) peer_hung_up_ = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) read_ready_ = true;
  if (events & EPOLLOUT) write_blocked_ = false;

  if (!tcp_connected_ && !finish_connect(events)) return;
  if (state_ == State::Connecting && !advance_handshake()) return;
  if (events & EPOLLOUT && established() && (!output_.empty() || shutdown_wanted_)) {
    write_pending();
    if (state_ == State::Closed) return;
  }
  if (lingering_) {
    discard_input();
  } else if (state_ == State::Open) {
    read_ready();
  } else if (state_ == State::Closing && events & EPOLLERR) {
    finish(ConnectionEvent::RemoteClose);
  }
}

bool Connection::finish_connect(uint32_t events) {
  if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return false;
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) {
    failure_reason_ = fmt::format("delayed connect error: {}", std::strerror(error));
    finish(ConnectionEvent::RemoteClose);
    return false;
  }
  tcp_connected_ = true;
  local_ = local_address_of(fd_.get());
  return true;
}

// True once the handshake is done and the connection is still open.
bool Connection::advance_handshake() {
  const auto result = transport_->handshake(fd_.get());
  if (result.status == IoStatus::WouldBlock) return false;
  if (result.status != IoStatus::Ok) {
    finish(ConnectionEvent::RemoteClose);
    return false;
  }
  state_ = State::Open;
  timer_.reset();
  // The handshake's last read may have taken the first bytes of the stream along: the socket will
  // not tell of them again.
  if (transport_->tls_info()) read_ready_ = true;
  if (!callbacks_) {
    // Nobody listens yet.
  } else if (!server_side_) {
    callbacks_->on_event(ConnectionEvent::Connected);
  } else if (transport_->tls_info()) {
    callbacks_->on_event(ConnectionEvent::ConnectedTls);
  }
  if (state_ == State::Closed) return false;
  if (!output_.empty() || shutdown_wanted_) loop_.schedule_flush(this);
  return true;
}

// Reads and hands over, until the socket is empty, the owner has had enough, or the other
// connections are due for their turn.
void Connection::read_ready() {
  size_t budget = kMaxReadBytesPerEvent;
  int empty_reads = 0;
  if (redeliver_ && read_enabled()) {
    redeliver_ = false;
    if (!input_.empty() && !deliver(false)) return;
  }
  while (state_ == State::Open && read_enabled() && !end_of_stream_seen_ &&
         (read_ready_ || transport_->has_buffered_input())) {
    if (budget == 0) {
      loop_.requeue(fd_.get(), 0);
      return;
    }
    const auto result = transport_->read(fd_.get(), input_, std::min(read_size_, budget));
    bytes_read_ += result.bytes;
    budget -= std::min(budget, result.bytes);
    if (result.status == IoStatus::Error) {
      // What came before the fault is delivered all the same.
      if (result.bytes == 0 || deliver(false)) finish(ConnectionEvent::RemoteClose);
      return;
    }
    if (result.status == IoStatus::EndOfStream) {
      read_ready_ = false;
      end_of_stream_seen_ = true;
    } else if (result.status == IoStatus::WouldBlock) {
      // After a hang-up there is an end of stream to be read behind the last bytes. A layer that
      // took a short read for an empty socket finds it when it is asked once more.
      if (!peer_hung_up_ || (result.bytes == 0 && ++empty_reads > 1)) read_ready_ = false;
      read_size_ = kInitialReadBytes;
    } else {
      read_size_ = std::min(read_size_ * 2, kMaxReadBytes);
    }
    if (result.bytes > 0 && !deliver(false)) return;
  }
  if (state_ == State::Open && end_of_stream_seen_ && read_enabled()) {
    on_end_of_stream();
  } else if (state_ == State::Open && !read_enabled() && peer_hung_up_ && server_side_ &&
             !half_close_) {
    // The client went away while nothing is read from it: whoever works for it should know.
    finish(ConnectionEvent::RemoteClose);
  }
}

// False if the connection was closed from inside.
bool Connection::deliver(bool end_stream) {
  if (callbacks_) callbacks_->on_data(input_, end_stream);
  return state_ == State::Open;
}

void Connection::on_end_of_stream() {
  if (end_of_stream_delivered_) return;
  end_of_stream_delivered_ = true;
  if (!half_close_) {
    finish(ConnectionEvent::RemoteClose);
    return;
  }
  if (deliver(true) && shutdown_done_) finish(ConnectionEvent::RemoteClose);
}

void Connection::read_disable(bool disable) {
  if (disable) {
    ++read_disable_count_;
    return;
  }
  if (read_disable_count_ == 0 || --read_disable_count_ > 0) return;
  if (state_ != State::Open || !watched_) return;
  redeliver_ = redeliver_ || !input_.empty();
  if (redeliver_ || read_ready_ || end_of_stream_seen_ || transport_->has_buffered_input()) {
    loop_.requeue(fd_.get(), 0);
  }
}

void Connection::flush_soon() {
  if (state_ == State::Closed) {
    output_.clear();
    return;
  }
  if (!write_blocked_) loop_.schedule_flush(this);
  if (!above_watermark_ && output_.size() > high_watermark_) {
    above_watermark_ = true;
    if (callbacks_) callbacks_->on_above_write_watermark();
  }
}

void Connection::on_flush() {
  if (established() && !write_blocked_) write_pending();
}

void Connection::write_pending() {
  if (shutdown_done_) return;
  const size_t before = output_.size();
  const auto result = transport_->write(fd_.get(), output_, shutdown_wanted_);
  bytes_written_ += before - output_.size();
  if (result.status == IoStatus::Error || result.status == IoStatus::EndOfStream) {
    // What the peer said before it went away may still be read; the answer to a request it
    // refused to read in full, for one.
    if (state_ == State::Open && read_ready_ && read_enabled()) {
      output_.clear();
      read_ready();
      if (state_ == State::Closed) return;
    }
    finish(ConnectionEvent::RemoteClose);
    return;
  }
  if (result.status == IoStatus::WouldBlock) write_blocked_ = true;
  if (output_.empty() && result.status == IoStatus::Ok && shutdown_wanted_) shutdown_done_ = true;
  on_written();
}

void Connection::on_written() {
  if (above_watermark_ && output_.size() <= high_watermark_ / 2) {
    above_watermark_ = false;
    if (callbacks_ && state_ == State::Open) callbacks_->on_below_write_watermark();
    if (state_ == State::Closed) return;
  }
  if (!shutdown_done_) return;
  if (state_ == State::Closing) {
    begin_linger();
  } else if (end_of_stream_delivered_) {
    finish(ConnectionEvent::LocalClose);
  }
}

void Connection::shutdown_write() {
  if (shutdown_wanted_ || state_ == State::Closed) return;
  shutdown_wanted_ = true;
  if (!write_blocked_) loop_.schedule_flush(this);
}

void Connection::close(CloseType type) {
  if (state_ == State::Closed) return;
  if (type == CloseType::Reset && fd_.valid()) {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  const bool flush = type == CloseType::FlushWrite && state_ != State::Connecting && watched_ &&
                     (server_side_ || !output_.empty());
  if (!flush) {
    finish(ConnectionEvent::LocalClose);
    return;
  }
  if (state_ == State::Closing) return;
  state_ = State::Closing;
  timer_ = std::make_unique<Timer>(loop_, [this] { on_timeout(); });
  timer_->enable(kFlushTimeout);
  if (shutdown_done_) {
    begin_linger();
    return;
  }
  shutdown_wanted_ = true;
  if (!write_blocked_) loop_.schedule_flush(this);
}

// All is written. The socket stays until the peer has closed as well, so that bytes that it sent
// meanwhile do not turn our close into a reset.
void Connection::begin_linger() {
  if (!server_side_ || end_of_stream_seen_) {
    finish(ConnectionEvent::LocalClose);
    return;
  }
  lingering_ = true;
  timer_->enable(kLingerTimeout);
  read_ready_ = true;
  loop_.requeue(fd_.get(), 0);
}

void Connection::discard_input() {
  char scratch[16 * 1024];
  for (size_t total = 0; total < kMaxReadBytesPerEvent;) {
    const ssize_t got = ::recv(fd_.get(), scratch, sizeof scratch, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
      finish(ConnectionEvent::LocalClose);
      return;
    }
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) total += static_cast<size_t>(got);
  }
  loop_.requeue(fd_.get(), 0);
}

void Connection::finish(ConnectionEvent event) {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  timer_.reset();
  loop_.cancel_flush(this);
  if (watched_) loop_.remove(fd_.get());
  watched_ = false;
  fd_.reset();
  output_.clear();
  if (callbacks_) callbacks_->on_event(event);
}

}  // namespace sennit::net

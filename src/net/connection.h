// A byte stream to a peer: a non-blocking socket with an optional security layer over it. Reads
// are handed to the callbacks as they come; writes gather in `output()` and go out in one system
// call at the end of the event batch. Lives on one event loop and is used on its thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "net/address.h"
#include "net/buffer.h"
#include "net/event_loop.h"

namespace sennit::net {

// What a TLS handshake established. Made once per connection, then immutable.
struct TlsInfo {
  bool peer_certificate_presented = false;
  bool peer_certificate_validated = false;
  std::vector<std::string> peer_uri_sans;  // SPIFFE IDs
  std::vector<std::string> peer_dns_sans;
  std::string peer_subject;  // RFC 2253
  std::string peer_issuer;
  std::string peer_serial;              // hex
  std::string peer_certificate_sha256;  // hex
  std::string peer_certificate_pem;     // URL-encoded where XFCC wants it, plain here
  std::vector<std::string> local_uri_sans;
  std::vector<std::string> local_dns_sans;
  std::string local_subject;
  std::string server_name;  // SNI
  std::string alpn;         // negotiated; empty if none
  std::string version;      // "TLSv1.3"
  std::string cipher;
  bool resumed = false;

  // The first SPIFFE ID of the peer, or empty.
  std::string_view peer_principal() const {
    return peer_uri_sans.empty() ? std::string_view() : std::string_view(peer_uri_sans.front());
  }
};

// Why an operation on the transport ended.
enum class IoStatus { Ok, WouldBlock, EndOfStream, Error };

struct IoResult {
  IoStatus status;
  size_t bytes = 0;
};

// The security layer: raw TCP, or TLS (src/tls/). It does its own reads and writes on the socket.
class TransportSocket {
 public:
  virtual ~TransportSocket() = default;

  // Reads up to `limit` bytes into `input`. WouldBlock: the socket is empty now (bytes may have
  // come all the same); Ok: there may be more; EndOfStream: that was all (bytes may have come).
  virtual IoResult read(int fd, Buffer& input, size_t limit) = 0;
  // Writes from the front of `output`, draining what went out. With `end_stream` and everything
  // written, also closes the writing side (shutdown, close_notify). Ok: all is written (and
  // closed); WouldBlock: call again when the socket is writable.
  virtual IoResult write(int fd, Buffer& output, bool end_stream) = 0;
  // The handshake, if any. Ok when it is done (at once for raw TCP); WouldBlock: call again when
  // the socket is ready; Error: see failure_reason().
  virtual IoResult handshake(int fd) = 0;
  // nullptr for plaintext and before the handshake is done.
  virtual const TlsInfo* tls_info() const = 0;
  // Why a handshake or an operation failed, for %UPSTREAM_TRANSPORT_FAILURE_REASON% and logs.
  virtual std::string_view failure_reason() const = 0;
  // Decrypted bytes wait inside the layer although the socket has none (TLS read-ahead).
  virtual bool has_buffered_input() const { return false; }
};

std::unique_ptr<TransportSocket> make_raw_transport_socket();

enum class ConnectionEvent {
  Connected,     // TCP and the handshake are done; client side only reports it once
  ConnectedTls,  // server side: the handshake is done
  RemoteClose,   // the peer closed or reset, or the transport failed
  LocalClose,    // close() was called
};

enum class CloseType {
  FlushWrite,  // write what is in output(), then close (bounded by a linger timeout)
  NoFlush,     // at once
  Reset,       // at once with RST (SO_LINGER 0)
};

class ConnectionCallbacks {
 public:
  // New bytes. Consume with input.drain(); what stays is handed over again with more. With
  // `end_stream` the peer has closed its writing side (only reported so with half-close enabled;
  // otherwise end of stream is RemoteClose). The connection may be closed from inside.
  virtual void on_data(Buffer& input, bool end_stream) = 0;
  virtual void on_event(ConnectionEvent event) = 0;
  // output() grew beyond the limit / fell below half of it: slow the producers / let them go on.
  virtual void on_above_write_watermark() {}
  virtual void on_below_write_watermark() {}

 protected:
  ~ConnectionCallbacks() = default;
};

// Socket options of a connection; milliseconds and counts as the kernel takes them.
struct TcpKeepalive {
  uint32_t probes = 0;  // 0: the kernel's default
  uint32_t time_s = 0;
  uint32_t interval_s = 0;
};
struct ConnectOptions {
  Milliseconds connect_timeout{5000};
  bool keepalive = false;
  TcpKeepalive tcp_keepalive;
  Address source;  // none: the kernel chooses
  bool no_delay = true;
};

class Connection final : public DeferredDeletable, private IoHandler, private Flushable {
 public:
  // Server side: takes over an accepted socket. `input` may hold bytes already read from it
  // (a listener filter that could not peek).
  static std::unique_ptr<Connection> accepted(EventLoop& loop, UniqueFd fd, Address local,
                                              Address remote,
                                              std::unique_ptr<TransportSocket> transport,
                                              Buffer input = {});
  // Client side: starts to connect; the outcome comes as Connected or RemoteClose, never from
  // inside this call.
  static std::unique_ptr<Connection> connect(EventLoop& loop, const Address& remote,
                                             const ConnectOptions& options,
                                             std::unique_ptr<TransportSocket> transport);
  ~Connection() override;

  void set_callbacks(ConnectionCallbacks* callbacks) { callbacks_ = callbacks; }
  // Begins the handshake and reading (server side; client side begins by itself). Call after
  // set_callbacks. No callback comes from inside this call.
  void start();

  // Append here, then flush_soon(). Bytes go out at the end of the event batch.
  Buffer& output() { return output_; }
  void flush_soon();
  void write(std::string_view bytes) {
    output_.append(bytes);
    flush_soon();
  }
  // Closes the writing side once output() is empty.
  void shutdown_write();

  // NoFlush and Reset: LocalClose comes from inside this call. FlushWrite: nothing is read any
  // more; LocalClose (or RemoteClose, if the peer is first) comes when the output is written and,
  // on the server side, the peer has seen the end or kLingerTimeout has passed: closing with unread
  // bytes would reset the connection and could destroy the answer (RFC 9112 §9.6).
  // No callback comes after LocalClose or RemoteClose. Delete by loop.defer_delete() from inside
  // callbacks.
  void close(CloseType type);
  enum class State { Connecting, Open, Closing, Closed };
  State state() const { return state_; }

  // Counted: reading goes on when each disable has been matched. Used for backpressure.
  void read_disable(bool disable);
  bool read_enabled() const { return read_disable_count_ == 0; }

  void set_write_watermark(size_t high_bytes) { high_watermark_ = high_bytes; }
  bool above_write_watermark() const { return above_watermark_; }
  void enable_half_close(bool on) { half_close_ = on; }

  EventLoop& loop() { return loop_; }
  uint64_t id() const { return id_; }
  int fd() const { return fd_.get(); }
  const Address& local_address() const { return local_; }
  const Address& remote_address() const { return remote_; }
  void set_remote_address(const Address& address) { remote_ = address; }  // PROXY protocol
  void set_local_address(const Address& address) { local_ = address; }    // original destination
  const TlsInfo* tls() const { return transport_->tls_info(); }
  // "delayed connect error: Connection refused", "TLS_error:|...:TLS_error_end"; empty: none.
  std::string_view transport_failure_reason() const;
  // True where the connect attempt ended by its timeout rather than by a refusal.
  bool connect_timed_out() const { return connect_timed_out_; }
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  Connection(EventLoop& loop, UniqueFd fd, std::unique_ptr<TransportSocket> transport,
             bool server_side);
  void on_io(uint32_t events) override;
  void on_flush() override;

  void begin_connect(const ConnectOptions& options);
  bool finish_connect(uint32_t events);
  bool advance_handshake();
  void fail_connect(std::string reason);
  void on_timeout();
  void read_ready();
  bool deliver(bool end_stream);
  void on_end_of_stream();
  void discard_input();
  void write_pending();
  void on_written();
  void begin_linger();
  void finish(ConnectionEvent event);
  bool established() const { return state_ == State::Open || state_ == State::Closing; }

  EventLoop& loop_;
  UniqueFd fd_;
  std::unique_ptr<TransportSocket> transport_;
  ConnectionCallbacks* callbacks_ = nullptr;
  State state_ = State::Connecting;
  const bool server_side_;
  bool tcp_connected_ = false;
  bool watched_ = false;
  uint32_t read_disable_count_ = 0;
  size_t high_watermark_ = 1024 * 1024;
  bool above_watermark_ = false;
  bool half_close_ = false;
  bool connect_timed_out_ = false;
  bool read_ready_ = false;    // the socket may have bytes
  bool peer_hung_up_ = false;  // EPOLLRDHUP: the end of the stream follows the bytes
  bool redeliver_ = false;     // input_ holds bytes to hand over again
  bool end_of_stream_seen_ = false;
  bool end_of_stream_delivered_ = false;
  bool write_blocked_ = false;  // wait for EPOLLOUT
  bool shutdown_wanted_ = false;
  bool shutdown_done_ = false;
  bool lingering_ = false;
  size_t read_size_;
  uint64_t id_;
  uint64_t bytes_read_ = 0;
  uint64_t bytes_written_ = 0;
  Address local_;
  Address remote_;
  Buffer input_;
  Buffer output_;
  std::string failure_reason_;
  std::unique_ptr<Timer> timer_;  // connect and linger timeouts, which never overlap
};

}  // namespace sennit::net

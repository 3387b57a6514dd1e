#include "tls/transport_socket.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "tls/openssl.h"

namespace sennit::tls {
namespace {

using net::Buffer;
using net::IoResult;
using net::IoStatus;

// One TLS record's worth of plaintext: what one SSL_write turns into one record.
constexpr size_t kMaxRecord = 16 * 1024;

// The socket as AWS-LC sees it. With `trust_short_reads`, a read shorter than asked for is taken
// to have emptied the socket: the next one says "would block" without a system call.
struct SocketBio {
  int fd = -1;
  bool trust_short_reads = false;
  bool drained = false;
};

int bio_read(BIO* bio, char* out, int length) {
  auto& socket = *static_cast<SocketBio*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ssize_t got = -1;
  if (socket.drained) {
    errno = EAGAIN;
  } else {
    do {
      got = ::recv(socket.fd, out, static_cast<size_t>(length), 0);
    } while (got < 0 && errno == EINTR);
  }
  socket.drained = got > 0 && got < length && socket.trust_short_reads;
  if (got < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

int bio_write(BIO* bio, const char* bytes, int length) {
  auto& socket = *static_cast<SocketBio*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ssize_t sent;
  do {
    sent = ::send(socket.fd, bytes, static_cast<size_t>(length), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_read(made, &bio_read);
    BIO_meth_set_write(made, &bio_write);
    BIO_meth_set_ctrl(made, &bio_control);
    return made;
  }();
  return method;
}

int state_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void fill_local(net::TlsInfo& info, SSL* ssl) {
  X509* own = SSL_get_certificate(ssl);
  if (!own) return;
  info.local_uri_sans = subject_alternative_names(own, SanType::Uri);
  info.local_dns_sans = subject_alternative_names(own, SanType::Dns);
  info.local_subject = name_rfc2253(X509_get_subject_name(own));
}

void fill_peer(net::TlsInfo& info, SSL* ssl) {
  bssl::UniquePtr<X509> peer(SSL_get_peer_certificate(ssl));
  if (!peer) return;
  info.peer_certificate_presented = true;
  info.peer_uri_sans = subject_alternative_names(peer.get(), SanType::Uri);
  info.peer_dns_sans = subject_alternative_names(peer.get(), SanType::Dns);
  info.peer_subject = name_rfc2253(X509_get_subject_name(peer.get()));
  info.peer_issuer = name_rfc2253(X509_get_issuer_name(peer.get()));
  info.peer_serial = serial_hex(peer.get());
  info.peer_certificate_sha256 = to_hex(certificate_sha256(peer.get()));
  info.peer_certificate_pem = to_pem(peer.get());
}

class TlsTransportSocket final : public net::TransportSocket {
 public:
  TlsTransportSocket(bssl::UniquePtr<SSL> ssl, std::shared_ptr<const ContextBase> context)
      : context_(std::move(context)), ssl_(std::move(ssl)) {
    SSL_set_ex_data(ssl_.get(), state_index(), &state_);
    BIO* bio = BIO_new(socket_bio_method());
    BIO_set_data(bio, &socket_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
  }

  IoResult handshake(int fd) override {
    if (info_) return {IoStatus::Ok};
    if (!failure_reason_.empty()) return {IoStatus::Error};
    begin(fd);
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) return finish_handshake();
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      return {IoStatus::WouldBlock};
    }
    failure_reason_ = take_errors(state_.verify_failure);
    if (failure_reason_.empty()) {
      failure_reason_ = "TLS_error:|connection closed during the handshake:TLS_error_end";
    }
    return {IoStatus::Error};
  }

  IoResult read(int fd, Buffer& input, size_t limit) override {
    begin(fd);
    socket_.trust_short_reads = true;
    size_t total = 0;
    more_ = false;
    while (total < limit) {
      const size_t want = std::min(limit - total, kMaxRecord);
      char* space = input.reserve(want);
      const int got = SSL_read(ssl_.get(), space, static_cast<int>(want));
      if (got > 0) {
        input.commit(static_cast<size_t>(got));
        total += static_cast<size_t>(got);
        continue;
      }
      if (input.empty()) input.clear();
      switch (SSL_get_error(ssl_.get(), got)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
          return {IoStatus::WouldBlock, total};
        case SSL_ERROR_ZERO_RETURN:
          return {IoStatus::EndOfStream, total};
        default:
          // An end without close_notify may be a truncation: it is not a clean end of stream.
          failure_reason_ = take_errors();
          return {IoStatus::Error, total};
      }
    }
    more_ = true;
    return {IoStatus::Ok, total};
  }

  IoResult write(int fd, Buffer& output, bool end_stream) override {
    begin(fd);
    size_t total = 0;
    while (!output.empty()) {
      const auto bytes = output.view().substr(0, kMaxRecord);
      const int sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (sent > 0) {
        output.drain(static_cast<size_t>(sent));
        total += static_cast<size_t>(sent);
        continue;
      }
      const int error = SSL_get_error(ssl_.get(), sent);
      if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
        return {IoStatus::WouldBlock, total};
      }
      failure_reason_ = take_errors();
      return {IoStatus::Error, total};
    }
    if (end_stream && !send_close_notify()) return {IoStatus::WouldBlock, total};
    if (end_stream) ::shutdown(fd, SHUT_WR);
    return {IoStatus::Ok, total};
  }

  const net::TlsInfo* tls_info() const override { return info_ ? &*info_ : nullptr; }
  std::string_view failure_reason() const override { return failure_reason_; }
  bool has_buffered_input() const override { return more_; }

 private:
  void begin(int fd) {
    socket_.fd = fd;
    socket_.drained = socket_.trust_short_reads = false;
    ERR_clear_error();
  }

  // False: the socket is full, call again. Once it is sent it must not be called again: AWS-LC
  // would then read, in wait for the peer's.
  bool send_close_notify() {
    const int result = SSL_shutdown(ssl_.get());
    const bool full = result < 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    return !full;
  }

  IoResult finish_handshake() {
    if (std::string refused = context_->check_established(ssl_.get()); !refused.empty()) {
      failure_reason_ = fmt::format("TLS_error:|{}:TLS_error_end", refused);
      return {IoStatus::Error};
    }
    net::TlsInfo info;
    fill_peer(info, ssl_.get());
    fill_local(info, ssl_.get());
    info.resumed = SSL_session_reused(ssl_.get());
    info.peer_certificate_validated = info.peer_certificate_presented &&
                                      context_->verifies_peer() &&
                                      (state_.peer_validated || info.resumed);
    if (const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name)) {
      info.server_name = name;
    }
    const uint8_t* alpn = nullptr;
    unsigned alpn_length = 0;
    SSL_get0_alpn_selected(ssl_.get(), &alpn, &alpn_length);
    info.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_length);
    info.version = SSL_get_version(ssl_.get());
    info.cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl_.get()));
    info_ = std::move(info);
    return {IoStatus::Ok};
  }

  std::shared_ptr<const ContextBase> context_;
  SocketBio socket_;
  HandshakeState state_;
  bssl::UniquePtr<SSL> ssl_;
  std::optional<net::TlsInfo> info_;
  std::string failure_reason_;
  bool more_ = false;  // the last read stopped at its limit
};

}  // namespace

HandshakeState* handshake_state(const SSL* ssl) {
  return static_cast<HandshakeState*>(SSL_get_ex_data(ssl, state_index()));
}

std::unique_ptr<net::TransportSocket> make_transport_socket(
    bssl::UniquePtr<SSL> ssl, std::shared_ptr<const ContextBase> context) {
  return std::make_unique<TlsTransportSocket>(std::move(ssl), std::move(context));
}

}  // namespace sennit::tls

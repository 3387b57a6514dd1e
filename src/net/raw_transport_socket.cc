// Plain TCP (or a unix socket): bytes go as they are.

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "net/connection.h"

namespace sennit::net {
namespace {

class RawTransportSocket final : public TransportSocket {
 public:
  IoResult read(int fd, Buffer& input, size_t limit) override {
    char* space = input.reserve(limit);
    ssize_t got;
    do {
      got = ::recv(fd, space, limit, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
      input.commit(static_cast<size_t>(got));
      // Less than asked for means that the socket is empty: no second call to hear EAGAIN.
      const bool more = static_cast<size_t>(got) == limit;
      return {more ? IoStatus::Ok : IoStatus::WouldBlock, static_cast<size_t>(got)};
    }
    const int error = errno;
    if (input.empty()) input.clear();  // gives the reserved block back
    if (got == 0) return {IoStatus::EndOfStream};
    if (error == EAGAIN) return {IoStatus::WouldBlock};
    failure_reason_ = std::strerror(error);
    return {IoStatus::Error};
  }

  IoResult write(int fd, Buffer& output, bool end_stream) override {
    size_t written = 0;
    while (!output.empty()) {
      const auto bytes = output.view();
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return {IoStatus::WouldBlock, written};
      if (sent < 0) {
        failure_reason_ = std::strerror(errno);
        return {IoStatus::Error, written};
      }
      output.drain(static_cast<size_t>(sent));
      written += static_cast<size_t>(sent);
    }
    if (end_stream) ::shutdown(fd, SHUT_WR);
    return {IoStatus::Ok, written};
  }

  IoResult handshake(int) override { return {IoStatus::Ok}; }
  const TlsInfo* tls_info() const override { return nullptr; }
  std::string_view failure_reason() const override { return failure_reason_; }

 private:
  std::string failure_reason_;
};

}  // namespace

std::unique_ptr<TransportSocket> make_raw_transport_socket() {
  return std::make_unique<RawTransportSocket>();
}

}  // namespace sennit::net

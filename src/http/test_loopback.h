// For tests: a server and a client codec joined by a real loopback connection, and recorders of
// what each tells.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/codec.h"
#include "net/connection.h"

namespace sennit::http {

// One message as its decoder saw it.
struct Message final : RequestDecoder, ResponseDecoder, StreamCallbacks {
  void on_headers(HeaderMap&& head, bool end) override {
    headers = std::move(head);
    ended = end;
    heads++;
    if (on_head) on_head();
  }
  void on_data(std::string_view data, bool end) override {
    body.append(data);
    ended |= end;
    if (end && on_end) on_end();
  }
  void on_trailers(HeaderMap&& fields) override {
    trailers = std::move(fields);
    ended = true;
    if (on_end) on_end();
  }
  void on_bad_request(int status, std::string_view why) override {
    bad_status = status;
    details = why;
    if (response != nullptr) {
      HeaderMap answer;
      answer.add(HeaderId::Status, std::to_string(status));
      response->encode_headers(answer, true);
    }
  }
  void on_1xx(HeaderMap&& head) override { informational.push_back(head.status()); }
  void on_reset(ResetReason reason) override { reset = reason; }
  void on_above_write_watermark() override { ++above; }
  void on_below_write_watermark() override { ++below; }

  HeaderMap headers, trailers;
  std::string body, details;
  std::vector<int> informational;
  std::optional<ResetReason> reset;
  bool ended = false, closed = false;
  int heads = 0, bad_status = 0, above = 0, below = 0;
  ResponseEncoder* response = nullptr;
  std::function<void()> on_head, on_end;
};

// Owns a connection and forwards its events to a codec.
struct CodecOwner : net::ConnectionCallbacks, ServerCodecCallbacks, ClientCodecCallbacks {
  void on_data(net::Buffer& input, bool end) override {
    received.append(input.view());
    if (!codec) return input.clear();
    if (auto status = codec->dispatch(input, end); !status) {
      error = status.error().message;
      connection->close(net::CloseType::FlushWrite);
    }
  }
  void on_event(net::ConnectionEvent event) override {
    connected |= event == net::ConnectionEvent::Connected;
    if (event != net::ConnectionEvent::RemoteClose && event != net::ConnectionEvent::LocalClose)
      return;
    gone = true;
    if (codec) codec->on_connection_closed();
  }
  void on_above_write_watermark() override {
    if (codec) codec->on_connection_above_watermark();
  }
  void on_below_write_watermark() override {
    if (codec) codec->on_connection_below_watermark();
  }
  RequestDecoder& on_new_stream(ResponseEncoder& encoder) override {
    requests.push_back(std::make_unique<Message>());
    requests.back()->response = &encoder;
    encoder.set_callbacks(requests.back().get());
    if (on_request) on_request(*requests.back());
    return *requests.back();
  }
  void on_stream_closed(ResponseEncoder& encoder) override {
    for (auto& request : requests) request->closed |= request->response == &encoder;
    ++streams_closed;
  }
  void on_stream_closed(RequestEncoder&) override { ++streams_closed; }
  void on_goaway() override { ++goaways; }
  void on_max_concurrent_streams(uint32_t streams) override { max_streams = streams; }

  std::unique_ptr<net::Connection> connection;
  std::unique_ptr<Codec> codec;
  std::vector<std::unique_ptr<Message>> requests;
  std::function<void(Message&)> on_request;
  std::string received, error;
  int streams_closed = 0, goaways = 0;
  uint32_t max_streams = 0;
  bool connected = false, gone = false;
};

inline HeaderMap request_head(std::string_view method, std::string_view path) {
  HeaderMap head;
  head.add(HeaderId::Method, method);
  head.add(HeaderId::Scheme, "http");
  head.add(HeaderId::Authority, "test");
  head.add(HeaderId::Path, path);
  return head;
}
inline HeaderMap response_head(std::string_view status) {
  HeaderMap head;
  head.add(HeaderId::Status, status);
  return head;
}

class Loopback : public ::testing::Test {
 protected:
  // Both ends of a socket pair; the codecs are the test's to make.
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    attach(server_, fds[0]);
    attach(client_, fds[1]);
  }
  void attach(CodecOwner& owner, int fd) {
    owner.connection =
        net::Connection::accepted(loop_, UniqueFd(fd), {}, {}, net::make_raw_transport_socket());
    owner.connection->set_callbacks(&owner);
    owner.connection->start();
  }
  void use_http1() {
    auto server = make_http1_server(*server_.connection, options_, server_);
    server_.codec = std::move(server);
    auto client = make_http1_client(*client_.connection, options_, client_);
    client_codec_ = client.get();
    client_.codec = std::move(client);
  }
  void use_http2() {
    server_.codec = make_http2_server(*server_.connection, options_, server_);
    auto client = make_http2_client(*client_.connection, options_, client_);
    client_codec_ = client.get();
    client_.codec = std::move(client);
  }
  // Runs the loop until `done` holds; false if it does not within many turns.
  bool until(const std::function<bool()>& done) {
    for (int turn = 0; turn < 2000; ++turn) {
      if (done()) return true;
      loop_.run_once(net::Milliseconds(done() ? 0 : 5));
    }
    return done();
  }

  // Lets everything happen that can without the test's doing.
  void settle() {
    for (int turn = 0; turn < 100; ++turn) loop_.run_once(net::Milliseconds(0));
  }

  net::EventLoop loop_;
  CodecOptions options_;
  CodecOwner server_, client_;
  ClientCodec* client_codec_ = nullptr;
};

}  // namespace sennit::http

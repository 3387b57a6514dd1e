// Flow control, tunnels, early answers and draining.
#include <gmock/gmock.h>

#include "proxy/stream/test_proxy.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;
using http::Message;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kToBackend = "[{match: {prefix: /}, route: {cluster: backend}}]";
constexpr size_t kPiece = 64 * 1024;
constexpr size_t kPieces = 1024;  // 64 MiB in all: far more than all the sockets between hold

// Sends pieces for as long as its side takes them.
class Producer final : public http::StreamCallbacks {
 public:
  explicit Producer(http::StreamEncoder& encoder) : encoder_(&encoder) {
    encoder.set_callbacks(this);
  }
  void run() {
    while (encoder_ != nullptr && !blocked_ && sent_ < kPieces) {
      ++sent_;
      const bool last = sent_ == kPieces;
      encoder_->encode_data(std::string(kPiece, 'x'), last);
      if (last) encoder_ = nullptr;
    }
  }
  size_t sent() const { return sent_; }

 private:
  void on_reset(http::ResetReason) override { encoder_ = nullptr; }
  void on_above_write_watermark() override { blocked_ = true; }
  void on_below_write_watermark() override {
    blocked_ = false;
    run();
  }
  http::StreamEncoder* encoder_;
  size_t sent_ = 0;
  bool blocked_ = false;
};

class Streaming : public ProxyTest, public ::testing::WithParamInterface<http::Protocol> {
 protected:
  Streaming() {
    const bool http2 = GetParam() == http::Protocol::Http2;
    add_cluster("backend", backend_.port(), http2 ? kHttp2Cluster : "");
    configure(kToBackend,
              "http2_protocol_options: {initial_stream_window_size: 65535, "
              "initial_connection_window_size: 65535}");
  }
  // Turns until nothing moves any more.
  void settle(const std::function<size_t()>& progress) {
    for (size_t before = progress() + 1, still = 0; still < 20;) {
      loop_.run_once(net::Milliseconds(1));
      const size_t now = progress();
      still = now == before ? still + 1 : 0;
      before = now;
    }
  }
  Upstream backend_{loop_, GetParam()};
};
INSTANTIATE_TEST_SUITE_P(, Streaming,
                         ::testing::Values(http::Protocol::Http11, http::Protocol::Http2),
                         [](const auto& info) {
                           return info.param == http::Protocol::Http2 ? "ToHttp2" : "ToHttp1";
                         });

TEST_P(Streaming, AClientThatDoesNotReadStopsTheUpstream) {
  std::unique_ptr<Producer> producer;
  backend_.answer = [&](Message& request) {
    request.response->encode_headers(http::response_head("200"), false);
    producer = std::make_unique<Producer>(*request.response);
    producer->run();
  };
  auto client = connect();
  client->connection->read_disable(true);
  client->write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  ASSERT_TRUE(until([&] { return producer != nullptr; }));
  settle([&] { return producer->sent(); });
  EXPECT_LT(producer->sent(), kPieces / 2);
  client->connection->read_disable(false);
  EXPECT_TRUE(until([&] { return client->received.ends_with("0\r\n\r\n"); }));
  EXPECT_GT(client->received.size(), kPieces * kPiece);
}

TEST_P(Streaming, AnUpstreamThatDoesNotReadStopsTheClient) {
  Message* request = nullptr;
  backend_.answer_at_head = true;
  backend_.answer = [&](Message& r) {
    request = &r;
    r.response->read_disable(true);
  };
  auto client = connect();
  use_http2(*client);
  Message response;
  auto& encoder = client->client->new_stream(response);
  encoder.encode_headers(http::request_head("POST", "/"), false);
  ASSERT_TRUE(until([&] { return request != nullptr; }));
  Producer producer(encoder);
  producer.run();
  settle([&] { return producer.sent(); });
  EXPECT_LT(producer.sent(), kPieces / 2);
  request->response->read_disable(false);
  EXPECT_TRUE(until([&] { return request->ended; }));
  EXPECT_EQ(request->body.size(), kPieces * kPiece);
  request->response->encode_headers(http::response_head("200"), true);
  EXPECT_TRUE(until([&] { return response.ended; }));
}

TEST_P(Streaming, AnAnswerMayComeBeforeTheRequestEnds) {
  backend_.answer_at_head = true;
  backend_.answer = [](Message& request) {
    request.response->encode_headers(http::response_head("413"), true);
  };
  auto client = connect();
  use_http2(*client);
  Message response;
  auto& encoder = client->client->new_stream(response);
  encoder.set_callbacks(&response);
  encoder.encode_headers(http::request_head("POST", "/"), false);
  EXPECT_TRUE(until([&] { return response.ended; }));
  EXPECT_EQ(response.headers.status(), 413);
  EXPECT_TRUE(until([&] { return client->streams_closed == 1; }));
}

TEST_P(Streaming, AResponseThatWaitsForTheClientsWindowOutlivesItsStream) {
  const std::string body(200'000, 'x');
  backend_.answer = [&](Message& request) {
    request.response->encode_headers(http::response_head("200"), false);
    request.response->encode_data(body, true);
  };
  auto client = connect();
  use_http2(*client);
  Message response;
  auto& encoder = client->client->new_stream(response);
  encoder.encode_headers(http::request_head("GET", "/"), true);
  client->connection->read_disable(true);
  settle([&] { return counter("http.test.downstream_rq_completed"); });
  client->connection->read_disable(false);
  EXPECT_TRUE(until([&] { return response.ended; }));
  EXPECT_EQ(response.body.size(), body.size());
}

// --- tunnels ---------------------------------------------------------------------------------

constexpr std::string_view kWebsocket = "upgrade_configs: [{upgrade_type: websocket}]";

// An upstream that accepts an upgrade and echoes.
void accept_upgrade(Upstream& upstream) {
  upstream.answer_at_head = true;
  upstream.answer = [](Message& request) {
    auto head = http::response_head("101");
    head.add(HeaderId::Connection, "upgrade");
    head.add(HeaderId::Upgrade, "websocket");
    request.response->encode_headers(head, false);
  };
}

TEST_P(Streaming, AnUpgradeBecomesATunnel) {
  configure(kToBackend, kWebsocket);
  accept_upgrade(backend_);
  auto client = connect();
  const std::string answer = exchange(*client,
                                      "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\n"
                                      "upgrade: websocket\r\n\r\n",
                                      "\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(answer, HasSubstr("upgrade: websocket\r\n"));
  EXPECT_THAT(answer, HasSubstr("connection: upgrade\r\n"));
  client->write("ping");
  Message& request = *backend_.requests().at(0);
  ASSERT_TRUE(until([&] { return request.body == "ping"; }));
  request.response->encode_data("pong", false);
  ASSERT_TRUE(until([&] { return client->received.ends_with("pong"); }));
  request.response->encode_data("bye", true);
  EXPECT_TRUE(until([&] { return client->gone; }));
  EXPECT_THAT(client->received, EndsWith("pongbye"));
}

TEST_P(Streaming, AnExtendedConnectBecomesATunnel) {
  configure(kToBackend, kWebsocket);
  accept_upgrade(backend_);
  auto client = connect();
  use_http2(*client);
  Message response;
  // The client's codec makes this an extended CONNECT.
  auto& encoder = client->client->new_stream(response);
  auto head = http::request_head("GET", "/chat");
  head.add(HeaderId::Connection, "upgrade");
  head.add(HeaderId::Upgrade, "websocket");
  // The server's SETTINGS must have come before.
  ASSERT_TRUE(until([&] { return client->client->max_concurrent_streams() > 100; }));
  encoder.encode_headers(head, false);
  ASSERT_TRUE(until([&] { return response.heads == 1; }));
  EXPECT_EQ(response.headers.status(), 101);
  encoder.encode_data("ping", false);
  ASSERT_TRUE(until([&] { return backend_.requests().at(0)->body == "ping"; }));
  backend_.requests()[0]->response->encode_data("pong", false);
  EXPECT_TRUE(until([&] { return response.body == "pong"; }));
  encoder.reset(http::ResetReason::LocalReset);
  // In an HTTP/1 tunnel the end of the connection is the end of the request.
  const Message& request = *backend_.requests()[0];
  EXPECT_TRUE(until([&] { return request.reset.has_value() || request.ended; }));
}

// --- draining --------------------------------------------------------------------------------

TEST_P(Streaming, ADrainedHttp1ConnectionEndsWithItsNextAnswer) {
  auto client = connect();
  exchange(*client, "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "\r\n\r\n");
  client->received.clear();
  served(*client).drain();
  EXPECT_THAT(exchange(*client, "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "\r\n\r\n"),
              HasSubstr("connection: close\r\n"));
  EXPECT_TRUE(until([&] { return client->gone && all_served_gone(); }));
}

TEST_P(Streaming, ADrainedHttp2ConnectionFinishesWhatItHas) {
  configure(kToBackend, "drain_timeout: 0.02s");
  backend_.answer = [](Message&) {};
  auto client = connect();
  use_http2(*client);
  Message response;
  client->client->new_stream(response).encode_headers(http::request_head("GET", "/"), true);
  ASSERT_TRUE(until([&] { return backend_.requests().size() == 1; }));
  served(*client).drain();
  ASSERT_TRUE(until([&] { return client->goaways == 2; }));
  EXPECT_FALSE(client->gone);
  backend_.requests()[0]->response->encode_headers(http::response_head("200"), true);
  EXPECT_TRUE(until([&] { return response.ended && client->gone && all_served_gone(); }));
}

TEST_P(Streaming, AnIdleConnectionThatIsDrainedCloses) {
  configure(kToBackend, "drain_timeout: 0.02s");
  auto client = connect();
  served(*client).drain();
  EXPECT_TRUE(until([&] { return client->gone && all_served_gone(); }));
}

}  // namespace
}  // namespace sennit::proxy

// The client's side of HTTP/1 over a real connection; the server is written by hand.
#include <gtest/gtest.h>

#include "http/test_loopback.h"

namespace sennit::http {
namespace {

class Http1Client : public Loopback {
 protected:
  void SetUp() override {
    Loopback::SetUp();
    auto codec = make_http1_client(*client_.connection, options_, client_);
    codec_ = codec.get();
    client_.codec = std::move(codec);
  }
  RequestEncoder& open() {
    RequestEncoder& encoder = codec_->new_stream(response_);
    encoder.set_callbacks(&response_);
    return encoder;
  }
  RequestEncoder& get(std::string_view method = "GET") {
    RequestEncoder& encoder = open();
    encoder.encode_headers(request_head(method, "/"), true);
    return encoder;
  }
  RequestEncoder& upgrade() {
    HeaderMap head = request_head("GET", "/ws");
    head.add(HeaderId::Upgrade, "websocket");
    head.add(HeaderId::Connection, "upgrade");
    RequestEncoder& encoder = open();
    encoder.encode_headers(head, false);
    return encoder;
  }
  void respond(std::string_view bytes) { server_.connection->write(bytes); }
  bool server_receives(const std::string& bytes) {
    return until([&] { return server_.received.size() >= bytes.size(); }) &&
           server_.received == bytes;
  }
  bool ended() {
    return until([&] { return response_.ended; });
  }

  ClientCodec* codec_ = nullptr;
  Message response_;
};

const std::string kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

TEST_F(Http1Client, WritesARequest) {
  HeaderMap head = request_head("POST", "/a?b");
  head.add("x", "1");
  head.add(HeaderId::Te, "trailers");
  head.add(HeaderId::KeepAlive, "5");
  RequestEncoder& encoder = open();
  encoder.encode_headers(head, false);
  encoder.encode_data("hello", true);
  EXPECT_TRUE(
      server_receives("POST /a?b HTTP/1.1\r\nhost: test\r\nx: 1\r\n"
                      "transfer-encoding: chunked\r\nte: trailers\r\nconnection: te\r\n\r\n"
                      "5\r\nhello\r\n0\r\n\r\n"))
      << server_.received;
}

TEST_F(Http1Client, IsReusedAfterACompleteExchange) {
  get();
  respond("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.streams_closed, 1);
  EXPECT_TRUE(codec_->can_reuse());
  EXPECT_EQ(codec_->active_streams(), 0U);
}

TEST_F(Http1Client, IsNotReusedAfterConnectionClose) {
  get();
  respond("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(ended());
  EXPECT_FALSE(codec_->can_reuse());
}

TEST_F(Http1Client, IsNotReusedAfterHttp10) {
  get();
  respond("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(ended());
  EXPECT_FALSE(codec_->can_reuse());
}

TEST_F(Http1Client, TakesABodyThatEndsWithTheConnection) {
  get();
  respond("HTTP/1.1 200 OK\r\n\r\nall of ");
  respond("it");
  server_.connection->close(net::CloseType::FlushWrite);
  ASSERT_TRUE(ended());
  EXPECT_EQ(response_.body, "all of it");
  EXPECT_FALSE(response_.reset.has_value());
  EXPECT_FALSE(codec_->can_reuse());
}

TEST_F(Http1Client, ResetsWhenTheServerClosesTooEarly) {
  get();
  respond("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
  server_.connection->close(net::CloseType::FlushWrite);
  ASSERT_TRUE(until([&] { return response_.reset.has_value(); }));
  EXPECT_EQ(*response_.reset, ResetReason::ConnectionTermination);
  EXPECT_EQ(response_.body, "half");
  EXPECT_FALSE(response_.ended);
  EXPECT_EQ(client_.streams_closed, 1);
}

TEST_F(Http1Client, ResetsOnWhatIsNoResponse) {
  get();
  respond("220 smtp.example\r\n");
  ASSERT_TRUE(until([&] { return response_.reset.has_value(); }));
  EXPECT_EQ(*response_.reset, ResetReason::ProtocolError);
  EXPECT_EQ(codec_->stats().protocol_errors, 1U);
  ASSERT_TRUE(until([&] { return client_.gone; }));
}

TEST_F(Http1Client, DoesNotTakeBytesAfterAResponseForTheNext) {
  get();
  respond("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 Smuggled\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(ended());
  EXPECT_EQ(response_.headers.status(), 204);
  EXPECT_FALSE(codec_->can_reuse());
  ASSERT_TRUE(until([&] { return client_.gone; }));
}

TEST_F(Http1Client, DoesNotTakeBytesWithoutARequest) {
  respond("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_FALSE(codec_->can_reuse());
}

TEST_F(Http1Client, ExpectsNoBodyAfterHead) {
  get("HEAD");
  respond("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  ASSERT_TRUE(ended());
  EXPECT_EQ(response_.headers.get(HeaderId::ContentLength), "9");
  EXPECT_TRUE(codec_->can_reuse());
}

TEST_F(Http1Client, TellsThatPostsAreEmpty) {
  get("POST");
  EXPECT_TRUE(server_receives("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n"))
      << server_.received;
}

TEST_F(Http1Client, TakesContinueAndEarlyHintsBeforeTheResponse) {
  RequestEncoder& encoder = open();
  encoder.encode_headers(request_head("POST", "/"), false);
  respond("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n");
  ASSERT_TRUE(until([&] { return response_.informational.size() == 2; }));
  encoder.encode_data("body", true);
  respond("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(ended());
  EXPECT_EQ(response_.informational, (std::vector<int>{100, 103}));
  EXPECT_TRUE(codec_->can_reuse());
}

TEST_F(Http1Client, AnEarlyResponseLeavesTheStreamOpenForTheRequest) {
  RequestEncoder& encoder = open();
  encoder.encode_headers(request_head("POST", "/"), false);
  respond("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.streams_closed, 0);
  encoder.encode_data("x", true);
  EXPECT_EQ(client_.streams_closed, 1);
  EXPECT_TRUE(codec_->can_reuse());
}

TEST_F(Http1Client, ClosesTheConnectionOfAResetRequest) {
  RequestEncoder& encoder = open();
  encoder.encode_headers(request_head("POST", "/"), false);
  encoder.encode_data("half", false);
  encoder.reset(ResetReason::LocalReset);
  EXPECT_EQ(client_.streams_closed, 1);
  EXPECT_FALSE(codec_->can_reuse());
  EXPECT_FALSE(response_.reset.has_value()) << "our own reset must not come back";
  ASSERT_TRUE(until([&] { return server_.gone; }));
  EXPECT_EQ(server_.received.find("0\r\n\r\n"), std::string::npos) << "must not look complete";
}

TEST_F(Http1Client, KeepsToTheAnnouncedLength) {
  HeaderMap head = request_head("POST", "/");
  head.add(HeaderId::ContentLength, "3");
  RequestEncoder& encoder = open();
  encoder.encode_headers(head, false);
  encoder.encode_data("too long", true);
  ASSERT_TRUE(server_receives("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\ntoo"))
      << server_.received;
  EXPECT_FALSE(codec_->can_reuse());
}

TEST_F(Http1Client, CarriesBytesBothWaysAfterAnUpgrade) {
  RequestEncoder& encoder = upgrade();
  respond(kSwitching + "first");
  ASSERT_TRUE(until([&] { return response_.body == "first"; }));
  EXPECT_EQ(response_.headers.status(), 101);
  encoder.encode_data("up", false);
  ASSERT_TRUE(
      server_receives("GET /ws HTTP/1.1\r\nhost: test\r\nupgrade: websocket\r\n"
                      "connection: upgrade\r\n\r\nup"))
      << server_.received;
  EXPECT_FALSE(codec_->can_reuse());
}

TEST_F(Http1Client, HalfClosesATunnel) {
  server_.connection->enable_half_close(true);
  RequestEncoder& encoder = upgrade();
  respond(kSwitching);
  ASSERT_TRUE(until([&] { return response_.heads == 1; }));
  encoder.encode_data("last words", true);
  ASSERT_TRUE(until([&] { return server_.received.ends_with("last words"); }));
  EXPECT_FALSE(server_.gone);
  respond("goodbye");
  server_.connection->shutdown_write();
  ASSERT_TRUE(ended());
  EXPECT_EQ(response_.body, "goodbye");
  EXPECT_FALSE(response_.reset.has_value());
  EXPECT_EQ(client_.streams_closed, 1);
}

TEST_F(Http1Client, TheServerMayHalfCloseATunnelFirst) {
  server_.connection->enable_half_close(true);
  RequestEncoder& encoder = upgrade();
  respond(kSwitching + "goodbye");
  server_.connection->shutdown_write();
  ASSERT_TRUE(ended());
  EXPECT_FALSE(response_.reset.has_value());
  EXPECT_EQ(client_.streams_closed, 0);
  encoder.encode_data("last words", true);
  ASSERT_TRUE(until([&] { return server_.received.ends_with("last words"); }));
  EXPECT_EQ(client_.streams_closed, 1);
}

// A server could take it for a client that has gone away.
TEST_F(Http1Client, DoesNotHalfCloseBeforeTheUpgradeIsAnswered) {
  server_.connection->enable_half_close(true);
  upgrade().encode_data({}, true);
  respond("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  ASSERT_TRUE(ended());
  EXPECT_EQ(response_.headers.status(), 403);
  EXPECT_EQ(response_.body, "no");
  EXPECT_FALSE(codec_->can_reuse());
  EXPECT_EQ(client_.streams_closed, 1);
}

TEST_F(Http1Client, ResetsOnAnUpgradeThatNamesNoProtocol) {
  upgrade();
  respond("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  ASSERT_TRUE(until([&] { return response_.reset.has_value(); }));
  EXPECT_EQ(*response_.reset, ResetReason::ProtocolError);
  EXPECT_FALSE(codec_->can_reuse());
}

// A 101 to a request that asked for none would turn the rest into a tunnel that nobody wanted.
TEST_F(Http1Client, ResetsOnAnUpgradeThatNobodyAskedFor) {
  get();
  respond(kSwitching + "raw");
  ASSERT_TRUE(until([&] { return response_.reset.has_value(); }));
  EXPECT_EQ(*response_.reset, ResetReason::ProtocolError);
  EXPECT_EQ(response_.body, "");
}

}  // namespace
}  // namespace sennit::http

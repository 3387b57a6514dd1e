// The server's side of HTTP/1 over a real connection; the client is written by hand.
#include <gtest/gtest.h>

#include "http/test_loopback.h"

namespace sennit::http {
namespace {

class Http1Server : public Loopback {
 protected:
  void serve() {
    auto codec = make_http1_server(*server_.connection, options_, server_);
    codec_ = codec.get();
    server_.codec = std::move(codec);
  }
  void send(std::string_view bytes) { client_.connection->write(bytes); }
  bool requests(size_t count) {
    return until([&] { return server_.requests.size() == count; });
  }
  Message& request(size_t index) { return *server_.requests[index]; }
  bool receives(const std::string& bytes) {
    return until([&] { return client_.received.size() >= bytes.size(); }) &&
           client_.received == bytes;
  }
  void answer(size_t index, std::string_view body) {
    HeaderMap head = response_head("200");
    head.add(HeaderId::ContentLength, std::to_string(body.size()));
    request(index).response->encode_headers(head, body.empty());
    if (!body.empty()) request(index).response->encode_data(body, true);
  }
  static std::string ok(std::string_view body, std::string_view more = {}) {
    return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" +
           std::string(more) + "\r\n" + std::string(body);
  }

  ServerCodec* codec_ = nullptr;
};

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kClose = "connection: close\r\n";
const std::string kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

HeaderMap switching() {
  HeaderMap head = response_head("101");
  head.add(HeaderId::Upgrade, "websocket");
  head.add(HeaderId::Connection, "upgrade");
  return head;
}

TEST_F(Http1Server, AnswersAPipelineInOrder) {
  serve();
  send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(requests(1));
  answer(0, "one");
  ASSERT_TRUE(requests(2));
  EXPECT_EQ(request(1).headers.path(), "/2");
  answer(1, "two");
  EXPECT_TRUE(receives(ok("one") + ok("two"))) << client_.received;
}

TEST_F(Http1Server, HoldsThePipelineBackUntilTheAnswer) {
  serve();
  send(kGet + kGet);
  ASSERT_TRUE(requests(1));
  ASSERT_TRUE(until([&] { return !server_.connection->read_enabled(); }));
  EXPECT_EQ(server_.requests.size(), 1U);
  answer(0, "");
  ASSERT_TRUE(requests(2));
  EXPECT_TRUE(server_.connection->read_enabled());
}

TEST_F(Http1Server, KeepsTheConnection) {
  serve();
  server_.on_request = [&](Message& request) {
    request.on_head = [&] { request.response->encode_headers(response_head("204"), true); };
  };
  send(kGet);
  ASSERT_TRUE(receives("HTTP/1.1 204 No Content\r\n\r\n")) << client_.received;
  client_.received.clear();
  send(kGet);
  EXPECT_TRUE(receives("HTTP/1.1 204 No Content\r\n\r\n")) << client_.received;
  EXPECT_EQ(server_.streams_closed, 2);
}

TEST_F(Http1Server, ClosesWhenTheClientAsks) {
  serve();
  send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + kGet);
  ASSERT_TRUE(requests(1));
  answer(0, "x");
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received, ok("x", kClose));
  EXPECT_EQ(server_.requests.size(), 1U);
}

TEST_F(Http1Server, ClosesWhenTheAnswerSaysSo) {
  serve();
  send(kGet);
  ASSERT_TRUE(requests(1));
  HeaderMap head = response_head("204");
  head.add(HeaderId::Connection, "close");
  request(0).response->encode_headers(head, true);
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
}

TEST_F(Http1Server, ClosesAfterTheNextAnswerWhenDraining) {
  serve();
  codec_->shutdown_notice();
  send(kGet + kGet);
  ASSERT_TRUE(requests(1));
  answer(0, "x");
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received, ok("x", kClose));
}

TEST_F(Http1Server, ChunksABodyOfUnknownLength) {
  serve();
  send(kGet);
  ASSERT_TRUE(requests(1));
  request(0).response->encode_headers(response_head("200"), false);
  request(0).response->encode_data("hello", false);
  request(0).response->encode_data("", false);
  request(0).response->encode_data("", true);
  EXPECT_TRUE(
      receives("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
               "5\r\nhello\r\n0\r\n\r\n"))
      << client_.received;
}

TEST_F(Http1Server, SendsNoBodyToHead) {
  serve();
  send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + kGet);
  ASSERT_TRUE(requests(1));
  HeaderMap head = response_head("200");
  head.add(HeaderId::ContentLength, "5");
  request(0).response->encode_headers(head, false);
  request(0).response->encode_data("hello", true);
  ASSERT_TRUE(requests(2));
  answer(1, "x");
  EXPECT_TRUE(receives("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" + ok("x")))
      << client_.received;
}

TEST_F(Http1Server, AnswersBadRequestsAndCloses) {
  serve();
  send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n" + kGet);
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received,
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(request(0).details, "http1.codec_error");
  EXPECT_EQ(server_.codec->stats().protocol_errors, 1U);
  EXPECT_EQ(server_.streams_closed, 1);
}

// A HEAD request before must not take the body of the answer's framing away.
TEST_F(Http1Server, AnswersWhatIsNoRequestAtAll) {
  serve();
  send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(requests(1));
  request(0).response->encode_headers(response_head("204"), true);
  ASSERT_TRUE(receives("HTTP/1.1 204 No Content\r\n\r\n"));
  client_.received.clear();
  send("\x16\x03\x01");
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received,
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

TEST_F(Http1Server, AnswersABadBodyThatNobodyAnsweredYet) {
  serve();
  send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_TRUE(client_.received.starts_with("HTTP/1.1 400 ")) << client_.received;
  EXPECT_EQ(request(0).bad_status, 400);
}

TEST_F(Http1Server, ResetsTheStreamOfABadBodyOnceAnswered) {
  serve();
  send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  ASSERT_TRUE(requests(1));
  request(0).response->encode_headers(response_head("200"), false);
  send("zz\r\n");
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(request(0).reset, ResetReason::ProtocolError);
  EXPECT_EQ(client_.received.find("0\r\n\r\n"), std::string::npos) << "must not look complete";
}

TEST_F(Http1Server, RefusesHttp10) {
  serve();
  send("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received,
            "HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

TEST_F(Http1Server, AnswersHttp10InKindAndEndsTheBodyByClosing) {
  options_.accept_http10 = true;
  serve();
  send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(requests(1));
  EXPECT_EQ(codec_->protocol(), Protocol::Http10);
  request(0).response->encode_1xx(response_head("103"));
  request(0).response->encode_headers(response_head("200"), false);
  request(0).response->encode_data("x", true);
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received, "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nx");
}

TEST_F(Http1Server, KeepsAnHttp10ConnectionOnDemand) {
  options_.accept_http10 = true;
  serve();
  send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(requests(1));
  answer(0, "x");
  EXPECT_TRUE(receives("HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx"))
      << client_.received;
  EXPECT_FALSE(client_.gone);
}

TEST_F(Http1Server, ContinuesWhenToldSo) {
  serve();
  send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(requests(1));
  EXPECT_EQ(request(0).headers.get(HeaderId::Expect), "100-continue");
  request(0).response->encode_1xx(response_head("100"));
  ASSERT_TRUE(receives("HTTP/1.1 100 Continue\r\n\r\n")) << client_.received;
  send("hi");
  ASSERT_TRUE(until([&] { return request(0).ended; }));
  EXPECT_EQ(request(0).body, "hi");
}

TEST_F(Http1Server, HalfAnAnswerDoesNotLookWholeAfterAReset) {
  serve();
  send(kGet);
  ASSERT_TRUE(requests(1));
  request(0).response->encode_headers(response_head("200"), false);
  request(0).response->encode_data("x", false);
  request(0).response->reset(ResetReason::LocalReset);
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received.find("0\r\n\r\n"), std::string::npos);
  EXPECT_EQ(server_.streams_closed, 1);
  EXPECT_FALSE(request(0).reset.has_value()) << "our own reset must not come back";
}

TEST_F(Http1Server, KeepsTheCaseOfNames) {
  options_.preserve_header_case = true;
  serve();
  send(kGet);
  ASSERT_TRUE(requests(1));
  HeaderMap head = response_head("204");
  head.add_preserved(HeaderId::None, "x-case", "X-CaSe", "1");
  request(0).response->encode_headers(head, true);
  EXPECT_TRUE(receives("HTTP/1.1 204 No Content\r\nX-CaSe: 1\r\n\r\n")) << client_.received;
}

TEST_F(Http1Server, StopsReadingForASlowConsumer) {
  serve();
  server_.on_request = [&](Message& request) {
    request.on_head = [&] { request.response->read_disable(true); };
  };
  const std::string body(8 * 1024 * 1024, 'x');
  send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  ASSERT_TRUE(requests(1));
  send(body);
  settle();
  EXPECT_LT(request(0).body.size(), 1024U * 1024U);
  EXPECT_FALSE(client_.connection->output().empty());
  request(0).response->read_disable(false);
  ASSERT_TRUE(until([&] { return request(0).ended; }));
  EXPECT_EQ(request(0).body.size(), body.size());
}

// ---- upgrades ----

TEST_F(Http1Server, CarriesBytesBothWaysAfterAnUpgrade) {
  serve();
  send(kUpgrade + "early");
  ASSERT_TRUE(requests(1));
  EXPECT_EQ(request(0).headers.get(HeaderId::Upgrade), "websocket");
  EXPECT_FALSE(request(0).ended);
  EXPECT_EQ(request(0).body, "") << "bytes before the answer belong to nobody yet";
  request(0).response->encode_headers(switching(), false);
  ASSERT_TRUE(until([&] { return request(0).body == "early"; }));
  request(0).response->encode_data("down", false);
  send("up");
  ASSERT_TRUE(until([&] { return request(0).body == "earlyup"; }));
  EXPECT_TRUE(
      receives("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
               "connection: upgrade\r\n\r\ndown"))
      << client_.received;
}

TEST_F(Http1Server, AHalfClosedTunnelGoesOnTheOtherWay) {
  serve();
  client_.connection->enable_half_close(true);
  send(kUpgrade);
  ASSERT_TRUE(requests(1));
  request(0).response->encode_headers(switching(), false);
  send("last words");
  client_.connection->shutdown_write();
  ASSERT_TRUE(until([&] { return request(0).ended; }));
  EXPECT_EQ(request(0).body, "last words");
  EXPECT_FALSE(request(0).reset.has_value());
  EXPECT_EQ(server_.streams_closed, 0);
  request(0).response->encode_data("goodbye", true);
  ASSERT_TRUE(
      until([&] { return server_.streams_closed == 1 && client_.received.ends_with("goodbye"); }));
  EXPECT_FALSE(request(0).reset.has_value());
}

TEST_F(Http1Server, ATunnelEndsWithItsAnswer) {
  serve();
  send(kUpgrade);
  ASSERT_TRUE(requests(1));
  request(0).response->encode_headers(switching(), false);
  request(0).response->encode_data("bye", true);
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_TRUE(client_.received.ends_with("bye"));
  EXPECT_EQ(server_.streams_closed, 1);
}

TEST_F(Http1Server, ARefusedUpgradeIsAnOrdinaryAnswer) {
  serve();
  send(kUpgrade + "never read");
  ASSERT_TRUE(requests(1));
  HeaderMap head = response_head("403");
  request(0).response->encode_headers(head, true);
  ASSERT_TRUE(until([&] { return client_.gone; }));
  EXPECT_EQ(client_.received,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(request(0).body, "");
  EXPECT_FALSE(request(0).reset.has_value());
}

TEST_F(Http1Server, CarriesBytesBothWaysAfterConnect) {
  serve();
  send("CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n");
  ASSERT_TRUE(requests(1));
  request(0).response->encode_headers(response_head("200"), false);
  request(0).response->encode_data("down", false);
  send("up");
  ASSERT_TRUE(until([&] { return request(0).body == "up"; }));
  EXPECT_TRUE(receives("HTTP/1.1 200 OK\r\n\r\ndown")) << client_.received;
}

}  // namespace
}  // namespace sennit::http

// HTTP/2 between our two ends, and against a peer written by hand.
#include <gtest/gtest.h>

#include <algorithm>

#include "http/http2/test_frames.h"
#include "http/test_loopback.h"

namespace sennit::http::http2 {
namespace {

class Http2 : public Loopback {
 protected:
  RequestEncoder& open(Message& response, const HeaderMap& head, bool end) {
    RequestEncoder& encoder = client_codec_->new_stream(response);
    encoder.set_callbacks(&response);
    encoder.encode_headers(head, end);
    return encoder;
  }
  RequestEncoder& get(Message& response) { return open(response, request_head("GET", "/"), true); }
  RequestEncoder& post(Message& response) {
    return open(response, request_head("POST", "/"), false);
  }
  bool requests(size_t count) {
    return until([&] { return server_.requests.size() == count; });
  }
  Message& request(size_t index) { return *server_.requests[index]; }
  // Our server, and a client by hand.
  void serve() {
    server_.codec = make_http2_server(*server_.connection, options_, server_);
    client_.connection->write(kPreface);
  }
  bool client_sees(FrameType type, uint32_t stream, uint32_t code) {
    return until([&] {
      return std::ranges::any_of(parse_frames(client_.received), [&](const Frame& frame) {
        return frame.type == type && frame.stream == stream && frame.number(0) == code;
      });
    });
  }
  // Our client, and a server by hand.
  void ask() {
    auto codec = make_http2_client(*client_.connection, options_, client_);
    client_codec_ = codec.get();
    client_.codec = std::move(codec);
    server_.connection->write(settings());
    settle();
  }
};

TEST_F(Http2, AClientsResetReachesTheServer) {
  use_http2();
  Message response;
  RequestEncoder& encoder = post(response);
  ASSERT_TRUE(requests(1));
  encoder.reset(ResetReason::LocalReset);
  EXPECT_EQ(client_.streams_closed, 1);
  EXPECT_FALSE(response.reset.has_value()) << "our own reset must not come back";
  ASSERT_TRUE(until([&] { return request(0).reset.has_value(); }));
  EXPECT_EQ(*request(0).reset, ResetReason::RemoteReset);
  EXPECT_EQ(client_.codec->stats().tx_reset, 1U);
  EXPECT_EQ(server_.codec->stats().rx_reset, 1U);
  EXPECT_TRUE(client_codec_->can_reuse());
}

TEST_F(Http2, AServersResetsReachTheClient) {
  const std::pair<ResetReason, ResetReason> cases[] = {
      {ResetReason::LocalReset, ResetReason::RemoteReset},
      {ResetReason::LocalRefused, ResetReason::RemoteRefused},
      {ResetReason::ProtocolError, ResetReason::RemoteReset},
      {ResetReason::Overflow, ResetReason::RemoteReset},
  };
  use_http2();
  for (const auto& [local, remote] : cases) {
    Message response;
    get(response);
    ASSERT_TRUE(until([&] { return !server_.requests.empty(); }));
    request(0).response->reset(local);
    ASSERT_TRUE(until([&] { return response.reset.has_value(); }));
    EXPECT_EQ(*response.reset, remote);
    EXPECT_FALSE(request(0).reset.has_value());
    server_.requests.clear();
  }
  EXPECT_EQ(client_.streams_closed, 4);
}

TEST_F(Http2, DrainsInTwoSteps) {
  use_http2();
  auto& codec = static_cast<ServerCodec&>(*server_.codec);
  Message before, between, after;
  get(before);
  ASSERT_TRUE(requests(1));
  codec.shutdown_notice();
  get(between);  // on its way when the notice came
  ASSERT_TRUE(requests(2));
  ASSERT_TRUE(until([&] { return client_.goaways == 1; }));
  codec.goaway();
  ASSERT_TRUE(until([&] { return client_.goaways == 2; }));
  EXPECT_FALSE(client_codec_->can_reuse());
  get(after);
  ASSERT_TRUE(until([&] { return after.reset.has_value(); }));
  EXPECT_EQ(*after.reset, ResetReason::RemoteRefused);
  for (size_t i = 0; i < 2; ++i) request(i).response->encode_headers(response_head("200"), true);
  EXPECT_TRUE(until([&] { return before.ended && between.ended; }));
}

TEST_F(Http2, StreamsAboveAGoawaysLastMayBeSentAgain) {
  ask();
  Message first, second;
  get(first);
  get(second);
  server_.connection->write(goaway(1, kNoError));
  ASSERT_TRUE(until([&] { return second.reset.has_value(); }));
  EXPECT_EQ(*second.reset, ResetReason::RemoteRefused);
  EXPECT_FALSE(first.reset.has_value());
  server_.connection->write(headers(1, {{":status", "200"}}, kEndHeaders | kEndStream));
  EXPECT_TRUE(until([&] { return first.ended; }));
}

TEST_F(Http2, ASlowReaderStopsItsSenderAndNobodyElse) {
  options_.limits.initial_stream_window = 64 * 1024;
  use_http2();
  server_.on_request = [&](Message& request) {
    if (server_.requests.size() == 1) request.response->read_disable(true);
  };
  Message slow, quick;
  RequestEncoder& encoder = post(slow);
  ASSERT_TRUE(requests(1));
  encoder.encode_data(std::string(1024 * 1024, 'x'), true);
  EXPECT_EQ(slow.above, 1);
  settle();
  EXPECT_LE(request(0).body.size(), 64U * 1024);
  EXPECT_EQ(slow.below, 0);
  post(quick).encode_data("quick", true);
  ASSERT_TRUE(until([&] { return server_.requests.size() == 2 && request(1).ended; }));
  request(0).response->read_disable(false);
  ASSERT_TRUE(until([&] { return request(0).ended; }));
  EXPECT_EQ(request(0).body.size(), 1024U * 1024);
  EXPECT_EQ(slow.below, 1);
}

TEST_F(Http2, StreamsBeyondThePeersLimitWaitForTheirTurn) {
  options_.limits.max_concurrent_streams = 2;
  use_http2();
  ASSERT_TRUE(until([&] { return client_.max_streams == 2; }));
  EXPECT_EQ(client_codec_->max_concurrent_streams(), 2U);
  Message responses[3];
  for (Message& response : responses) get(response);
  ASSERT_TRUE(requests(2));
  settle();
  EXPECT_EQ(server_.requests.size(), 2U);
  request(0).response->encode_headers(response_head("204"), true);
  EXPECT_TRUE(requests(3));
}

TEST_F(Http2, AnswersAHeadThatIsTooLarge) {
  options_.limits.max_header_bytes = 1000;
  use_http2();
  HeaderMap head = request_head("GET", "/");
  head.add("x", std::string(2000, 'x'));
  Message large, small;
  open(large, head, true);
  ASSERT_TRUE(until([&] { return large.ended; }));
  EXPECT_EQ(large.headers.status(), 431);
  EXPECT_EQ(request(0).heads, 0);
  EXPECT_EQ(server_.codec->stats().header_overflow, 1U);
  get(small);
  EXPECT_TRUE(until([&] { return server_.requests.size() == 2 && request(1).heads == 1; }));
}

TEST_F(Http2, RefusesMalformedRequests) {
  const Fields cases[] = {
      {{":scheme", "http"}, {":authority", "a"}, {":path", "/"}},
      {{":method", "GET"}, {":authority", "a"}, {":path", "/"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}},
      {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", ""}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/ HTTP/1.1"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "u@a"}, {":path", "/"}},
      {{":method", "G T"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}},
      {{":method", "GET"},
       {":method", "GET"},
       {":scheme", "http"},
       {":authority", "a"},
       {":path", "/"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}, {":x", "y"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {"x", "y"}, {":path", "/"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}, {"host", "b"}},
      {{":method", "GET"},
       {":scheme", "http"},
       {":authority", "a"},
       {":path", "/"},
       {"connection", "close"}},
      {{":method", "GET"},
       {":scheme", "http"},
       {":authority", "a"},
       {":path", "/"},
       {"transfer-encoding", "chunked"}},
      {{":method", "GET"},
       {":scheme", "http"},
       {":authority", "a"},
       {":path", "/"},
       {"te", "gzip"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}, {"X", "y"}},
      {{":method", "GET"},
       {":scheme", "http"},
       {":authority", "a"},
       {":path", "/"},
       {"x", "a\r\nb: c"}},
      {{":method", "GET"},
       {":scheme", "http"},
       {":authority", "a"},
       {":path", "/"},
       {":protocol", "websocket"}},
      {{":method", "GET"},
       {":scheme", "http"},
       {":authority", "a"},
       {":path", "/"},
       {"content-length", "5"}},
  };
  serve();
  uint32_t stream = 1;
  for (const Fields& fields : cases) {
    client_.connection->write(headers(stream, fields, kEndHeaders | kEndStream));
    stream += 2;
  }
  client_.connection->write(get_request(stream));  // the connection is none the worse
  ASSERT_TRUE(
      until([&] { return !server_.requests.empty() && server_.requests.back()->heads == 1; }));
  int taken = 0;
  for (const auto& request : server_.requests) taken += request->heads;
  EXPECT_EQ(taken, 1);
}

TEST_F(Http2, ResetsAMalformedStreamAsProtocolError) {
  serve();
  Fields fields = kGetFields;
  fields.emplace_back("connection", "close");
  client_.connection->write(headers(1, fields, kEndHeaders | kEndStream));
  EXPECT_TRUE(client_sees(FrameType::RstStream, 1, kProtocolError));
}

TEST_F(Http2, CarriesAnUpgradeByExtendedConnect) {
  options_.allow_connect = true;
  use_http2();
  settle();
  HeaderMap head = request_head("GET", "/ws");
  head.add(HeaderId::Upgrade, "websocket");
  head.add(HeaderId::Connection, "upgrade");
  Message response;
  RequestEncoder& encoder = open(response, head, false);
  ASSERT_TRUE(requests(1));
  EXPECT_EQ(request(0).headers.method(), "GET");
  EXPECT_EQ(request(0).headers.get(HeaderId::Upgrade), "websocket");
  HeaderMap switching = response_head("101");
  switching.add(HeaderId::Upgrade, "websocket");
  switching.add(HeaderId::Connection, "upgrade");
  request(0).response->encode_headers(switching, false);
  ASSERT_TRUE(until([&] { return response.heads == 1; }));
  EXPECT_EQ(response.headers.status(), 101);
  encoder.encode_data("up", true);
  ASSERT_TRUE(until([&] { return request(0).ended; }));
  EXPECT_EQ(request(0).body, "up");
  request(0).response->encode_data("down", true);
  ASSERT_TRUE(until([&] { return response.ended; }));
  EXPECT_EQ(response.body, "down");
  EXPECT_FALSE(response.reset.has_value());
}

}  // namespace
}  // namespace sennit::http::http2

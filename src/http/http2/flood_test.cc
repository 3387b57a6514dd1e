// Peers that send what is cheap for them and dear for us, by frames written by hand. Each must be
// told ENHANCE_YOUR_CALM, counted and closed, and must not make us hold more meanwhile.
#include <gtest/gtest.h>

#include <algorithm>

#include "http/http2/flood_guard.h"
#include "http/http2/test_frames.h"
#include "http/test_loopback.h"

namespace sennit::http::http2 {
namespace {

class Http2Flood : public Loopback {
 protected:
  void SetUp() override {
    Loopback::SetUp();
    server_.codec = make_http2_server(*server_.connection, options_, server_);
    send(kPreface);
  }
  void send(std::string_view bytes) { client_.connection->write(bytes); }
  std::vector<Frame> received() { return parse_frames(client_.received); }
  // The codec closed the connection for the flood, and said so.
  ::testing::AssertionResult stopped() {
    if (!until([&] { return client_.gone; })) {
      return ::testing::AssertionFailure() << "the connection is still open";
    }
    if (server_.codec->stats().flood_closed != 1) {
      return ::testing::AssertionFailure() << "not counted; " << server_.error;
    }
    const std::vector<Frame> frames = received();
    const bool told = std::ranges::any_of(frames, [](const Frame& frame) {
      return frame.type == FrameType::Goaway && frame.number(4) == kEnhanceYourCalm;
    });
    if (!told) return ::testing::AssertionFailure() << "no GOAWAY with ENHANCE_YOUR_CALM";
    if (server_.codec->active_streams() != 0) {
      return ::testing::AssertionFailure() << server_.codec->active_streams() << " streams left";
    }
    return ::testing::AssertionSuccess();
  }
  bool alive() {
    settle();
    return !client_.gone && server_.codec->stats().flood_closed == 0;
  }
  // What the server keeps in order to answer: frames that it has written but not sent.
  size_t held() { return server_.connection->output().size(); }
};

constexpr unsigned kMany = 2000;

TEST_F(Http2Flood, RapidReset) {
  for (uint32_t i = 0; i < kMany; ++i) {
    send(get_request(1 + 2 * i) + reset_stream(1 + 2 * i, kCancel));
  }
  EXPECT_TRUE(stopped());
  EXPECT_LE(server_.requests.size(), FloodGuard::kMaxResets + 1);
}

TEST_F(Http2Flood, ResetsOfCompletedRequestsAreEarned) {
  server_.on_request = [](Message& request) {
    request.on_head = [&request] { request.response->encode_headers(response_head("204"), true); };
  };
  // nghttp2 has a bound of its own: 1000 resets at once.
  for (uint32_t i = 0; i < 900; ++i) {
    const uint32_t answered = 1 + 4 * i, given_up = 3 + 4 * i;
    send(get_request(answered) + headers(given_up, kGetFields, kEndHeaders) +
         reset_stream(given_up, kCancel));
    if (i % 100 == 0) settle();
  }
  EXPECT_TRUE(alive());
}

// The peer sends frames that make us reset its streams: as cheap as resetting them itself.
TEST_F(Http2Flood, ResetsThatWeAreMadeToSend) {
  for (uint32_t i = 0; i < kMany; ++i) {
    send(get_request(1 + 2 * i) + window_update(1 + 2 * i, 0x7fffffff));
  }
  EXPECT_TRUE(stopped());
  EXPECT_LT(server_.requests.size(), kMany) << "our resets leave after each read";
}

TEST_F(Http2Flood, HeadsThatAreRefused) {
  Fields fields = kGetFields;
  fields.emplace_back("connection", "close");
  for (uint32_t i = 0; i < kMany; ++i) {
    send(headers(1 + 2 * i, fields, kEndHeaders | kEndStream));
  }
  EXPECT_TRUE(stopped());
}

TEST_F(Http2Flood, TrailersThatAreRefused) {
  Fields many;
  for (int i = 0; i < 101; ++i) many.emplace_back("x", "y");
  for (uint32_t i = 0; i < kMany; ++i) {
    send(headers(1 + 2 * i, kGetFields, kEndHeaders) +
         headers(1 + 2 * i, many, kEndHeaders | kEndStream));
  }
  EXPECT_TRUE(stopped());
}

TEST_F(Http2Flood, Continuations) {
  send(frame(FrameType::Headers, kEndStream, 1, header_block(kGetFields)));
  for (unsigned i = 0; i < kMany; ++i) {
    send(frame(FrameType::Continuation, 0, 1, header_block({{"x", "y"}})));
  }
  EXPECT_TRUE(stopped());
  EXPECT_TRUE(server_.requests.empty());
}

TEST_F(Http2Flood, EmptyContinuations) {
  send(frame(FrameType::Headers, kEndStream, 1, header_block(kGetFields)));
  for (int i = 0; i < 3; ++i) send(frame(FrameType::Continuation, 0, 1));
  EXPECT_TRUE(stopped());
}

TEST_F(Http2Flood, AHeadInSomeContinuationsIsNone) {
  send(frame(FrameType::Headers, kEndStream, 1, header_block(kGetFields)));
  for (int i = 0; i < 7; ++i) {
    send(frame(FrameType::Continuation, 0, 1, header_block({{"x", "y"}})));
  }
  send(frame(FrameType::Continuation, kEndHeaders, 1, header_block({{"x", "z"}})));
  EXPECT_TRUE(alive());
  ASSERT_EQ(server_.requests.size(), 1U);
  EXPECT_EQ(server_.requests[0]->headers.size(), 4U + 8);
}

TEST_F(Http2Flood, Settings) {
  std::string many;
  for (unsigned i = 0; i < kMany; ++i) many += settings();
  send(many);
  EXPECT_TRUE(stopped());
}

TEST_F(Http2Flood, Pings) {
  std::string many;
  for (unsigned i = 0; i < kMany; ++i) many += frame(FrameType::Ping, 0, 0, "12345678");
  send(many);
  EXPECT_TRUE(stopped());
}

// Whoever does not read the answers cannot make us keep them.
TEST_F(Http2Flood, PingsOfAPeerThatDoesNotRead) {
  client_.connection->read_disable(true);
  std::string many;
  for (int i = 0; i < 500; ++i) many += frame(FrameType::Ping, 0, 0, "12345678");
  for (int i = 0; i < 1000 && server_.codec->stats().flood_closed == 0; ++i) {
    send(many);
    settle();
    ASSERT_LT(held(), 2U * 1024 * 1024);
  }
  EXPECT_EQ(server_.codec->stats().flood_closed, 1U);
}

TEST_F(Http2Flood, EmptyData) {
  send(headers(1, kGetFields, kEndHeaders));
  for (int i = 0; i < 3; ++i) send(frame(FrameType::Data, 0, 1));
  EXPECT_TRUE(stopped());
}

TEST_F(Http2Flood, OneEmptyDataIsNone) {
  send(headers(1, kGetFields, kEndHeaders) + frame(FrameType::Data, 0, 1) +
       frame(FrameType::Data, 0, 1, "x") + frame(FrameType::Data, kEndStream, 1));
  EXPECT_TRUE(alive());
  ASSERT_EQ(server_.requests.size(), 1U);
  EXPECT_TRUE(server_.requests[0]->ended);
}

TEST_F(Http2Flood, Priorities) {
  for (unsigned i = 0; i < kMany; ++i) {
    send(frame(FrameType::Priority, 0, 1 + 2 * i, number32(0) + "\x10"));
  }
  EXPECT_TRUE(stopped());
}

TEST_F(Http2Flood, WindowUpdates) {
  for (unsigned i = 0; i < kMany; ++i) send(window_update(0, 1));
  EXPECT_TRUE(stopped());
}

}  // namespace
}  // namespace sennit::http::http2

// What both protocols promise alike, over a real connection.
#include "http/codec.h"

#include "http/test_loopback.h"

namespace sennit::http {
namespace {

class BothProtocols : public Loopback, public ::testing::WithParamInterface<Protocol> {
 protected:
  void SetUp() override {
    Loopback::SetUp();
    GetParam() == Protocol::Http2 ? use_http2() : use_http1();
  }
};

TEST_P(BothProtocols, CarryARequestAndItsResponse) {
  server_.on_request = [](Message& request) {
    request.on_head = [&request] { request.response->encode_headers(response_head("204"), true); };
  };
  Message response;
  RequestEncoder& encoder = client_codec_->new_stream(response);
  encoder.set_callbacks(&response);
  encoder.encode_headers(request_head("GET", "/a?b"), true);
  ASSERT_TRUE(until([&] { return response.ended && client_.streams_closed == 1; }));
  EXPECT_EQ(response.headers.status(), 204);
  EXPECT_EQ(server_.requests[0]->headers.path(), "/a?b");
  EXPECT_EQ(server_.requests[0]->headers.authority(), "test");
  EXPECT_EQ(server_.requests[0]->headers.scheme(), "http");
  EXPECT_FALSE(response.reset.has_value());
  EXPECT_TRUE(client_codec_->can_reuse());
}

TEST_P(BothProtocols, CarryBodiesAndTrailersBothWays) {
  HeaderMap trailers;
  trailers.add(HeaderId::GrpcStatus, "0");
  server_.on_request = [&](Message& request) {
    request.on_end = [&] {
      request.response->encode_headers(response_head("200"), false);
      request.response->encode_data(request.body, false);
      request.response->encode_trailers(trailers);
    };
  };
  Message response;
  RequestEncoder& encoder = client_codec_->new_stream(response);
  encoder.set_callbacks(&response);
  encoder.encode_headers(request_head("POST", "/"), false);
  encoder.encode_data("hello ", false);
  encoder.encode_data("world", false);
  encoder.encode_trailers(trailers);
  ASSERT_TRUE(until([&] { return response.ended && client_.streams_closed == 1; }));
  EXPECT_EQ(response.body, "hello world");
  EXPECT_EQ(response.trailers.get(HeaderId::GrpcStatus), "0");
  EXPECT_EQ(server_.requests[0]->trailers.get(HeaderId::GrpcStatus), "0");
}

TEST_P(BothProtocols, CarryALargeBodyWhole) {
  const std::string large(3 * 1024 * 1024, 'x');
  server_.on_request = [&](Message& request) {
    request.on_head = [&] {
      request.response->encode_headers(response_head("200"), false);
      request.response->encode_data(large, true);
    };
  };
  Message response;
  RequestEncoder& encoder = client_codec_->new_stream(response);
  encoder.set_callbacks(&response);
  encoder.encode_headers(request_head("GET", "/"), true);
  ASSERT_TRUE(until([&] { return response.ended; }));
  EXPECT_EQ(response.body.size(), large.size());
  EXPECT_GT(server_.requests[0]->above, 0);
}

TEST_P(BothProtocols, TellInformationalResponses) {
  server_.on_request = [](Message& request) {
    request.on_head = [&request] {
      request.response->encode_1xx(response_head("100"));
      request.response->encode_headers(response_head("200"), true);
    };
  };
  Message response;
  RequestEncoder& encoder = client_codec_->new_stream(response);
  encoder.encode_headers(request_head("GET", "/"), true);
  ASSERT_TRUE(until([&] { return response.ended; }));
  EXPECT_EQ(response.informational, std::vector<int>{100});
  EXPECT_EQ(response.headers.status(), 200);
}

TEST_P(BothProtocols, ResetStreamsOfALostConnection) {
  Message response;
  RequestEncoder& encoder = client_codec_->new_stream(response);
  encoder.set_callbacks(&response);
  encoder.encode_headers(request_head("GET", "/"), true);
  ASSERT_TRUE(until([&] { return server_.requests.size() == 1; }));
  server_.connection->close(net::CloseType::NoFlush);
  ASSERT_TRUE(until([&] { return response.reset.has_value(); }));
  EXPECT_EQ(*response.reset, ResetReason::ConnectionTermination);
  EXPECT_EQ(server_.requests[0]->reset, ResetReason::ConnectionTermination);
  EXPECT_EQ(client_.streams_closed, 1);
  EXPECT_FALSE(client_codec_->can_reuse());
}

INSTANTIATE_TEST_SUITE_P(Codec, BothProtocols, ::testing::Values(Protocol::Http11, Protocol::Http2),
                         [](const auto& info) {
                           return info.param == Protocol::Http2 ? "Http2" : "Http1";
                         });

}  // namespace
}  // namespace sennit::http

#include "proxy/stream/local_reply.h"

#include <gtest/gtest.h>

#include "proxy/stream/random.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;

struct Rendered {
  http::HeaderMap headers;
  std::string body;
};

Rendered render(const LocalReply& reply, bool grpc = false, const LocalReplyFormat& format = {}) {
  Rendered out;
  StreamInfo info;
  info.is_grpc = grpc;
  http::HeaderMap request;
  finish_local_reply(reply, format, info, request, out.headers, out.body);
  return out;
}

TEST(LocalReply, IsPlainTextWithItsLength) {
  const auto out = render({.status = 503, .body = "no healthy upstream"});
  EXPECT_EQ(out.headers.status(), 503);
  EXPECT_EQ(out.headers.get(HeaderId::ContentType), "text/plain");
  EXPECT_EQ(out.headers.get(HeaderId::ContentLength), "19");
  EXPECT_EQ(out.body, "no healthy upstream");
}

TEST(LocalReply, HasNoContentTypeWithoutABody) {
  const auto out = render({.status = 404});
  EXPECT_FALSE(out.headers.has(HeaderId::ContentType));
  EXPECT_TRUE(out.body.empty());
}

TEST(LocalReply, TellsGrpcClientsByStatusAndMessage) {
  const auto out = render({.status = 504, .body = "upstream request timeout"}, true);
  EXPECT_EQ(out.headers.status(), 200);
  EXPECT_EQ(out.headers.get(HeaderId::ContentType), "application/grpc");
  EXPECT_EQ(out.headers.get(HeaderId::GrpcStatus), "14");
  EXPECT_EQ(out.headers.get(HeaderId::GrpcMessage), "upstream request timeout");
  EXPECT_TRUE(out.body.empty());
}

TEST(LocalReply, MapsHttpStatusesToGrpcAsEnvoyDoes) {
  EXPECT_EQ(grpc_status_of_http(400), 13);
  EXPECT_EQ(grpc_status_of_http(401), 16);
  EXPECT_EQ(grpc_status_of_http(403), 7);
  EXPECT_EQ(grpc_status_of_http(404), 12);
  EXPECT_EQ(grpc_status_of_http(429), 14);
  EXPECT_EQ(grpc_status_of_http(503), 14);
  EXPECT_EQ(grpc_status_of_http(500), 2);
}

TEST(LocalReply, EscapesGrpcMessages) {
  EXPECT_EQ(encode_grpc_message("50% of\n\xc3\xa9"), "50%25 of%0A%C3%A9");
}

TEST(LocalReply, WrapsTheBodyInTheConfiguredFormat) {
  const auto format = make_local_reply_format("<%LOCAL_REPLY_BODY%>", "text/html");
  ASSERT_TRUE(format) << format.error().message;
  const auto out = render({.status = 503, .body = "why"}, false, *format);
  EXPECT_EQ(out.body, "<why>");
  EXPECT_EQ(out.headers.get(HeaderId::ContentType), "text/html");
}

TEST(LocalReply, SaysOverloadedAndWhereToGo) {
  const auto out = render({.status = 307, .location = "/there", .overloaded = true});
  EXPECT_EQ(out.headers.get(HeaderId::Location), "/there");
  EXPECT_EQ(out.headers.get(HeaderId::XEnvoyOverloaded), "true");
}

TEST(WallClock, RendersTheDateField) {
  WallClock clock;
  const std::string date(clock.date(net::Clock::now()));
  ASSERT_EQ(date.size(), 29u);
  EXPECT_EQ(date.substr(25), " GMT");
  EXPECT_EQ(date[3], ',');
}

TEST(WallClock, FollowsTheMonotonicClockWithinASecond) {
  WallClock clock;
  const auto start = net::Clock::now();
  const auto wall = clock.now(start);
  EXPECT_GE(clock.now(start + std::chrono::microseconds(10)), wall);
}

TEST(ResponseFlags, PrintEnvoysShortNamesInOrder) {
  ResponseFlags flags;
  EXPECT_EQ(flags.to_string(), "-");
  flags.set(ResponseFlag::UpstreamRetryLimitExceeded);
  flags.set(ResponseFlag::NoHealthyUpstream);
  EXPECT_EQ(flags.to_string(), "UH,URX");
}

}  // namespace
}  // namespace sennit::proxy

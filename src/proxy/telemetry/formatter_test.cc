#include <gtest/gtest.h>

#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/start_time.h"
#include "proxy/upstream/cluster_info.h"
#include "proxy/upstream/host.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;

class FormatterTest : public ::testing::Test {
 protected:
  FormatterTest() {
    request_.add(HeaderId::Method, "GET");
    request_.add(HeaderId::Path, "/pets?x=1");
    request_.add(HeaderId::Authority, "shop");
    request_.add("x-long", "abcdefgh");
    response_.add(HeaderId::Status, "503");
    downstream_.remote_address = *net::Address::ip("10.1.2.3", 4567);
    downstream_.local_address = *net::Address::ip("::1", 80);
    downstream_.requested_server_name = "shop.test";
    info_.downstream = &downstream_;
    info_.protocol = http::Protocol::Http11;
    info_.response_code = 503;
    info_.flags.set(ResponseFlag::NoHealthyUpstream);
    info_.flags.set(ResponseFlag::DelayInjected);
    info_.bytes_sent = 19;
    info_.end = info_.start + std::chrono::milliseconds(1234);
    auto cluster = std::make_shared<ClusterInfo>();
    cluster->name = "outbound|80||shop";
    cluster->stat_name = "outbound|80||shop;";
    info_.cluster = cluster;
  }

  std::string print(std::string_view format, MissingValue missing = MissingValue::Dash) {
    auto formatter = Formatter::create(format, missing);
    if (!formatter) return "error: " + formatter.error().message;
    std::string out;
    (*formatter)->format(out, info_, &request_, &response_, nullptr);
    return out;
  }

  http::HeaderMap request_, response_;
  DownstreamInfo downstream_;
  StreamInfo info_;
};

TEST_F(FormatterTest, PrintsWhatIsKnownOfARequest) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"%REQ(:METHOD)% %REQ(:PATH)%", "GET /pets?x=1"},
      {"%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "/pets?x=1"},
      {"%REQ(X-LONG):3%", "abc"},
      {"%RESP(:STATUS)%", "503"},
      {"%PROTOCOL% %RESPONSE_CODE%", "HTTP/1.1 503"},
      {"%RESPONSE_FLAGS%", "UH,DI"},
      {"%RESPONSE_FLAGS_LONG%", "NoHealthyUpstream,DelayInjected"},
      {"%BYTES_SENT%/%BYTES_RECEIVED%", "19/0"},
      {"%DURATION%", "1234"},
      {"%DOWNSTREAM_REMOTE_ADDRESS%", "10.1.2.3:4567"},
      {"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.1.2.3"},
      {"%DOWNSTREAM_LOCAL_ADDRESS%", "[::1]:80"},
      {"%REQUESTED_SERVER_NAME%", "shop.test"},
      {"%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%", "outbound|80||shop; outbound|80||shop"},
      {"100%%", "100%"},
  };
  for (const auto& [format, expected] : cases) EXPECT_EQ(print(format), expected) << format;
}

TEST_F(FormatterTest, PrintsADashForWhatIsNotKnown) {
  EXPECT_EQ(print("%REQ(X-NONE)% %UPSTREAM_HOST% %TRAILER(a)% %GRPC_STATUS% %ROUTE_NAME%"),
            "- - - - -");
}

TEST_F(FormatterTest, OmitsWhatIsNotKnownInHeaderValues) {
  EXPECT_EQ(print("a%REQ(X-NONE)%b", MissingValue::Omit), "ab");
}

TEST_F(FormatterTest, PrintsTheUpstream) {
  auto host = std::make_shared<Host>();
  host->address = *net::Address::ip("10.9.9.9", 8080);
  info_.upstream.host = host;
  info_.upstream.peer_principal = "spiffe://td/ns/a/sa/b";
  info_.upstream.attempts = 2;
  EXPECT_EQ(print("%UPSTREAM_HOST% %UPSTREAM_PEER_URI_SAN% %UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
            "10.9.9.9:8080 spiffe://td/ns/a/sa/b 2");
}

TEST_F(FormatterTest, PrintsGrpcStatusByNameOrNumber) {
  info_.grpc_status = 14;
  EXPECT_EQ(print("%GRPC_STATUS% %GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER%"), "Unavailable 14 14");
}

TEST_F(FormatterTest, PrintsStartTimeWithItsFraction) {
  info_.start_time =
      std::chrono::system_clock::time_point(std::chrono::milliseconds(1700000000123));
  EXPECT_EQ(print("%START_TIME%"), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(print("%START_TIME(%s.%6f %Y/%m)%"), "1700000000.123000 2023/11");
}

TEST_F(FormatterTest, RefusesWhatItDoesNotKnowByName) {
  EXPECT_EQ(print("%REQ(a)% %DYNAMIC_METADATA(x:y)%"),
            "error: %DYNAMIC_METADATA%: is not supported");
  EXPECT_EQ(print("50% off"), "error: \"% off\": not an %OPERATOR% (a percent sign is written %%)");
  EXPECT_EQ(print("%REQ()%"), "error: %REQ%: needs a header name");
}

}  // namespace
}  // namespace sennit::proxy

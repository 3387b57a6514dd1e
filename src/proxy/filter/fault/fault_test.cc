#include <envoy/extensions/filters/http/fault/v3/fault.pb.h>

#include "proxy/filter/test_callbacks.h"

namespace sennit::proxy {
namespace {

using envoy::extensions::filters::http::fault::v3::HTTPFault;

HTTPFault abort_with(uint32_t http_status, uint32_t percent) {
  HTTPFault fault;
  fault.mutable_abort()->set_http_status(http_status);
  fault.mutable_abort()->mutable_percentage()->set_numerator(percent);
  return fault;
}

class FaultTest : public ::testing::Test {
 protected:
  FilterResult run() {
    filter_ = stream_.make_filter(HTTPFault());
    return filter_->on_request_headers(stream_.request_, true);
  }
  TestCallbacks stream_;
  std::unique_ptr<Filter> filter_;
};

TEST_F(FaultTest, AbortsAsTheRouteSays) {
  stream_.set_route_config(abort_with(418, 100));
  EXPECT_EQ(run(), FilterResult::Stop);
  EXPECT_EQ(stream_.reply_status_, 418);
  EXPECT_EQ(stream_.reply_body_, "fault filter abort");
  EXPECT_EQ(stream_.reply_details_, "fault_filter_abort");
  EXPECT_EQ(stream_.reply_flags_.to_string(), "FI");
}

TEST_F(FaultTest, AbortsThePercentageGiven) {
  stream_.set_route_config(abort_with(500, 10));
  stream_.random_ = 9;
  EXPECT_EQ(run(), FilterResult::Stop);
  stream_.random_ = 10;
  EXPECT_EQ(run(), FilterResult::Continue);
}

TEST_F(FaultTest, DoesNothingWithoutAPercentage) {
  auto fault = abort_with(500, 0);
  fault.mutable_abort()->clear_percentage();
  stream_.set_route_config(fault);
  EXPECT_EQ(run(), FilterResult::Continue);
}

TEST_F(FaultTest, DelaysThenGoesOn) {
  HTTPFault fault;
  fault.mutable_delay()->mutable_fixed_delay()->set_nanos(1'000'000);
  fault.mutable_delay()->mutable_percentage()->set_numerator(100);
  stream_.set_route_config(fault);
  EXPECT_EQ(run(), FilterResult::Stop);
  EXPECT_EQ(stream_.info_.flags.to_string(), "DI");
  EXPECT_EQ(stream_.resumed_, 0);
  while (stream_.resumed_ == 0) stream_.loop_.run_once(net::Milliseconds(100));
  EXPECT_EQ(stream_.resumed_, 1);
}

TEST_F(FaultTest, DelaysThenAborts) {
  auto fault = abort_with(503, 100);
  fault.mutable_delay()->mutable_fixed_delay()->set_nanos(1'000'000);
  fault.mutable_delay()->mutable_percentage()->set_numerator(100);
  stream_.set_route_config(fault);
  EXPECT_EQ(run(), FilterResult::Stop);
  EXPECT_EQ(stream_.reply_status_, std::nullopt);
  while (!stream_.reply_status_) stream_.loop_.run_once(net::Milliseconds(100));
  EXPECT_EQ(stream_.reply_status_, 503);
  EXPECT_EQ(stream_.resumed_, 0);
}

TEST_F(FaultTest, NamesTheGrpcStatusOfAnAbort) {
  HTTPFault fault;
  fault.mutable_abort()->set_grpc_status(7);
  fault.mutable_abort()->mutable_percentage()->set_numerator(100);
  stream_.set_route_config(fault);
  stream_.info_.is_grpc = true;
  EXPECT_EQ(run(), FilterResult::Stop);
  EXPECT_EQ(stream_.reply_status_, 200);
  http::HeaderMap response;
  filter_->on_response_headers(response, true);
  EXPECT_EQ(response.get(http::HeaderId::GrpcStatus), "7");
}

TEST_F(FaultTest, KeepsToTheLargestNumberOfActiveFaults) {
  auto fault = abort_with(500, 100);
  fault.mutable_max_active_faults()->set_value(0);
  stream_.set_route_config(fault);
  EXPECT_EQ(run(), FilterResult::Continue);
}

}  // namespace
}  // namespace sennit::proxy

#include "proxy/stream/retry_state.h"

#include <gtest/gtest.h>

#include "proxy/stream/request_timeouts.h"
#include "proxy/stream/router.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;
using std::chrono::milliseconds;

RetryState state(uint32_t retry_on, uint32_t retries = 2) {
  auto policy = std::make_shared<RetryPolicy>();
  policy->retry_on = retry_on;
  policy->num_retries = retries;
  policy->retriable_status_codes = {418};
  return RetryState(policy);
}

bool covers(uint32_t retry_on, const char* status, const char* grpc_status = nullptr) {
  http::HeaderMap response;
  response.add(HeaderId::Status, status);
  if (grpc_status != nullptr) response.add(HeaderId::GrpcStatus, grpc_status);
  return state(retry_on).covers_response(response);
}

// A cluster with a given number of retry slots.
class Cluster final : public WorkerCluster {
 public:
  const std::shared_ptr<const ClusterInfo>& info() const override { return info_; }
  HostPtr pick(const PickContext&) override { return nullptr; }
  std::unique_ptr<PendingStream> new_stream(const HostPtr&, http::Protocol,
                                            std::span<const std::string>, http::ResponseDecoder&,
                                            StreamRequestCallbacks&) override {
    return nullptr;
  }
  void report(const HostPtr&, HostResult, int, milliseconds) override {}
  std::unique_ptr<net::Connection> connect(const HostPtr&, std::span<const std::string>) override {
    return nullptr;
  }
  void on_tcp_connection_closed(const HostPtr&) override {}
  bool try_acquire_retry() override { return slots > 0 && slots-- > 0; }
  void release_retry() override { ++slots; }
  int slots = 1;

 private:
  std::shared_ptr<const ClusterInfo> info_;
};

TEST(RetryState, CoversResponsesByThePolicysConditions) {
  EXPECT_TRUE(covers(kRetry5xx, "500"));
  EXPECT_FALSE(covers(kRetry5xx, "404"));
  EXPECT_FALSE(covers(kRetryGatewayError, "500"));
  EXPECT_TRUE(covers(kRetryGatewayError, "503"));
  EXPECT_TRUE(covers(kRetryRetriable4xx, "409"));
  EXPECT_TRUE(covers(kRetryRetriableStatusCodes, "418"));
  EXPECT_FALSE(covers(kRetryRetriableStatusCodes, "500"));
  EXPECT_TRUE(covers(kRetryGrpcUnavailable, "200", "14"));
  EXPECT_FALSE(covers(kRetryGrpcUnavailable, "200", "13"));
  EXPECT_FALSE(covers(kRetryConnectFailure | kRetryRefusedStream, "503"));
}

TEST(RetryState, CoversFailuresByThePolicysConditions) {
  constexpr bool kSent = true;
  EXPECT_TRUE(state(kRetryConnectFailure).covers_failure(AttemptFailure::ConnectFailure, false));
  EXPECT_FALSE(
      state(kRetryConnectFailure).covers_failure(AttemptFailure::ConnectionTermination, kSent));
  EXPECT_TRUE(state(kRetryRefusedStream).covers_failure(AttemptFailure::RemoteRefused, kSent));
  EXPECT_TRUE(state(kRetryReset).covers_failure(AttemptFailure::LocalReset, kSent));
  EXPECT_FALSE(
      state(kRetryResetBeforeRequest).covers_failure(AttemptFailure::ConnectionTermination, kSent));
  EXPECT_FALSE(state(kRetry5xx).covers_failure(AttemptFailure::Overflow, false));
}

TEST(RetryState, StopsWhenNoneIsLeft) {
  Cluster cluster;
  auto retries = state(kRetry5xx, 1);
  EXPECT_EQ(retries.decide(true, &cluster), RetryDecision::Yes);
  EXPECT_EQ(retries.decide(true, &cluster), RetryDecision::LimitExceeded);
}

TEST(RetryState, HoldsOneSlotOfTheClusterWhileARetryRuns) {
  Cluster cluster;
  auto first = state(kRetry5xx);
  auto second = state(kRetry5xx);
  EXPECT_EQ(first.decide(true, &cluster), RetryDecision::Yes);
  EXPECT_EQ(second.decide(true, &cluster), RetryDecision::Overflow);
  EXPECT_EQ(first.decide(false, &cluster), RetryDecision::No);
  EXPECT_EQ(cluster.slots, 1);
}

TEST(RetryState, WaitsLongerEachTimeUpToTheLongest) {
  Cluster cluster;
  Random random(7);
  auto retries = state(kRetry5xx, 20);
  milliseconds longest{0};
  for (int i = 0; i < 20; ++i) {
    retries.decide(true, &cluster);
    const auto wait = retries.next_backoff(random);
    EXPECT_LT(wait, milliseconds(25 << std::min(i, 4)));
    EXPECT_LT(wait, milliseconds(250));
    longest = std::max(longest, wait);
  }
  EXPECT_GT(longest, milliseconds(100));
}

TEST(RequestTimeouts, RouteTimeoutIsFifteenSecondsUnlessSaid) {
  Route route;
  http::HeaderMap request;
  EXPECT_EQ(request_timeouts(route, request, false, false).global, milliseconds(15000));
  route.timeout = milliseconds(0);
  EXPECT_EQ(request_timeouts(route, request, false, false).global, milliseconds(0));
}

TEST(RequestTimeouts, OnlyTrustedCallersSetThem) {
  Route route;
  http::HeaderMap request;
  request.add("x-envoy-upstream-rq-timeout-ms", "70");
  EXPECT_EQ(request_timeouts(route, request, false, false).global, milliseconds(15000));
  EXPECT_EQ(request_timeouts(route, request, false, true).global, milliseconds(70));
}

TEST(RequestTimeouts, ReadsGrpcTimeouts) {
  EXPECT_EQ(parse_grpc_timeout("2S"), milliseconds(2000));
  EXPECT_EQ(parse_grpc_timeout("100m"), milliseconds(100));
  EXPECT_EQ(parse_grpc_timeout("1u"), milliseconds(1));
  EXPECT_FALSE(parse_grpc_timeout("100"));
  EXPECT_FALSE(parse_grpc_timeout("123456789S"));
  EXPECT_FALSE(parse_grpc_timeout("-1S"));
}

}  // namespace
}  // namespace sennit::proxy

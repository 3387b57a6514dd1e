#include "proxy/upstream/outlier_detector.h"

#include <gtest/gtest.h>

#include "proxy/upstream/outlier_report.h"

namespace sennit::proxy {
namespace {

class OutlierDetectorTest : public ::testing::Test {
 protected:
  OutlierDetectorTest() { config_.max_ejection_percent = 100; }
  // Makes the detector of `count` hosts; `config_` is as it is then.
  void watch(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      auto host = std::make_shared<Host>();
      host->address = *net::Address::ip("10.0.0.1", static_cast<uint16_t>(i + 1));
      hosts_.push_back(std::move(host));
    }
    detector_ = std::make_unique<OutlierDetector>(
        config_, ClusterStats{}, shard_, [this] { return random_; }, [this] { ++changes_; });
    detector_->set_hosts(hosts_);
  }
  void report(size_t host, HostResult result, int times = 1) {
    for (int i = 0; i < times; ++i) {
      count_outlier(config_, *hosts_[host], result, [&](OutlierEvent event) {
        detector_->on_consecutive(hosts_[host], event, now_);
      });
    }
  }
  // Alternates, so that no error is the next one's neighbour.
  void report_rate(size_t host, int successes, int errors) {
    for (int i = 0; i < std::max(successes, errors); ++i) {
      if (i < errors) report(host, HostResult::Error5xx);
      if (i < successes) report(host, HostResult::Success);
    }
  }
  void pass(std::chrono::seconds time) {
    now_ += time;
    detector_->on_interval(now_);
  }
  std::string ejected() const {
    std::string text;
    for (const HostPtr& host : hosts_) text += host->healthy() ? '.' : 'x';
    return text;
  }

  stats::Registry registry_;
  stats::Shard& shard_ = registry_.new_shard();
  OutlierConfig config_;
  std::vector<HostPtr> hosts_;
  std::unique_ptr<OutlierDetector> detector_;
  net::TimePoint now_{};
  uint64_t random_ = 0;
  int changes_ = 0;
};

TEST_F(OutlierDetectorTest, ConsecutiveErrorsEject) {
  watch(2);
  report(0, HostResult::Error5xx, 4);
  EXPECT_EQ(ejected(), "..");
  report(0, HostResult::Error5xx);
  EXPECT_EQ(ejected(), "x.");
  EXPECT_EQ(changes_, 1);
}

TEST_F(OutlierDetectorTest, ASuccessBetweenErrorsStartsTheCountAgain) {
  watch(1);
  for (int i = 0; i < 3; ++i) {
    report(0, HostResult::Error5xx, 4);
    report(0, HostResult::Success);
  }
  EXPECT_EQ(ejected(), ".");
}

TEST_F(OutlierDetectorTest, GatewayErrorsAreTheirOwnCount) {
  config_.enforcing_consecutive_5xx = 0;
  config_.enforcing_consecutive_gateway_failure = 100;
  config_.consecutive_gateway_failure = 2;
  watch(1);
  report(0, HostResult::GatewayError);
  report(0, HostResult::Error5xx);
  report(0, HostResult::GatewayError);
  EXPECT_EQ(ejected(), ".");
  report(0, HostResult::LocalConnectFailure);
  EXPECT_EQ(ejected(), "x");
}

TEST_F(OutlierDetectorTest, LocalErrorsCountApartWhereOriginsAreSplit) {
  config_.split_local_origin = true;
  config_.consecutive_local_origin_failure = 2;
  config_.consecutive_5xx = 1;
  watch(1);
  report(0, HostResult::LocalTimeout);
  EXPECT_EQ(ejected(), ".");
  report(0, HostResult::LocalReset);
  EXPECT_EQ(ejected(), "x");
}

TEST_F(OutlierDetectorTest, NoMoreThanThePercentAreEjectedButForALoneOneWhereAllowed) {
  for (const bool lone : {false, true}) {
    config_.max_ejection_percent = 10;
    config_.always_eject_one_host = lone;
    hosts_.clear();
    watch(2);
    report(0, HostResult::Error5xx, 5);
    report(1, HostResult::Error5xx, 5);
    EXPECT_EQ(ejected(), lone ? "x." : "..");
  }
}

TEST_F(OutlierDetectorTest, EnforcementIsAPercentage) {
  config_.enforcing_consecutive_5xx = 40;
  watch(2);
  random_ = 40;  // of 0 to 99, those below 40 eject
  report(0, HostResult::Error5xx, 5);
  random_ = 39;
  report(1, HostResult::Error5xx, 5);
  EXPECT_EQ(ejected(), ".x");
}

TEST_F(OutlierDetectorTest, EachEjectionIsLongerByTheBaseTime) {
  watch(1);
  for (int time : {30, 60}) {
    report(0, HostResult::Error5xx, 5);
    pass(std::chrono::seconds(time - 1));
    EXPECT_EQ(ejected(), "x");
    pass(std::chrono::seconds(1));
    EXPECT_EQ(ejected(), ".");
  }
}

TEST_F(OutlierDetectorTest, AHostFarBelowItsPeersSuccessRateIsEjected) {
  watch(6);
  for (size_t i = 0; i < 5; ++i) report_rate(i, 100, 0);
  report_rate(5, 60, 40);
  pass(std::chrono::seconds(10));
  // Mean 93.3, deviation 14.9: the floor is at 65.
  EXPECT_EQ(ejected(), ".....x");
}

TEST_F(OutlierDetectorTest, SuccessRatesNeedEnoughHostsAndRequests) {
  watch(6);
  for (size_t i = 0; i < 4; ++i) report_rate(i, 100, 0);
  report_rate(4, 99, 0);  // one request short
  report_rate(5, 0, 0);
  pass(std::chrono::seconds(10));
  EXPECT_EQ(ejected(), "......");
  for (size_t i = 0; i < 3; ++i) report_rate(i, 100, 0);
  report_rate(5, 50, 50);
  pass(std::chrono::seconds(10));
  EXPECT_EQ(ejected(), "......");
}

TEST_F(OutlierDetectorTest, RatesAreOfOneIntervalOnly) {
  watch(6);
  for (int interval = 0; interval < 2; ++interval) {
    for (size_t i = 0; i < 5; ++i) report_rate(i, 60, 0);
    report_rate(5, 36, 24);
    pass(std::chrono::seconds(10));
  }
  EXPECT_EQ(ejected(), "......") << "each interval has fewer than 100 requests a host";
}

TEST_F(OutlierDetectorTest, AFailurePercentageAboveTheThresholdEjects) {
  config_.enforcing_success_rate = 0;
  config_.enforcing_consecutive_5xx = 0;
  config_.enforcing_failure_percentage = 100;
  watch(5);
  for (size_t i = 0; i < 3; ++i) report_rate(i, 50, 0);
  report_rate(3, 15, 85);
  report_rate(4, 16, 84);
  pass(std::chrono::seconds(10));
  EXPECT_EQ(ejected(), "...x.");
}

TEST_F(OutlierDetectorTest, FailurePercentagesNeedEnoughHostsAndRequests) {
  config_.enforcing_success_rate = 0;
  config_.enforcing_consecutive_5xx = 0;
  config_.enforcing_failure_percentage = 100;
  watch(5);
  for (size_t i = 0; i < 3; ++i) report_rate(i, 50, 0);
  report_rate(3, 49, 0);
  report_rate(4, 0, 100);
  pass(std::chrono::seconds(10));
  EXPECT_EQ(ejected(), ".....");
}

TEST_F(OutlierDetectorTest, AHostThatLeavesIsNoLongerCounted) {
  config_.max_ejection_percent = 50;
  watch(2);
  report(0, HostResult::Error5xx, 5);
  EXPECT_EQ(detector_->ejected(), 1u);
  hosts_.erase(hosts_.begin());
  detector_->set_hosts(hosts_);
  EXPECT_EQ(detector_->ejected(), 0u);
}

}  // namespace
}  // namespace sennit::proxy

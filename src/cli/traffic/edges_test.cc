#include "cli/traffic/edges.h"

#include <gtest/gtest.h>

#include <limits>

namespace sennit::cli {
namespace {

constexpr char kText[] = R"(# TYPE istio_requests_total counter
istio_requests_total{reporter="source",source_workload="a",destination_workload="b",response_code="200",connection_security_policy="unknown"} 90
istio_requests_total{reporter="source",source_workload="a",destination_workload="b",response_code="503",connection_security_policy="unknown"} 10
istio_requests_total{reporter="destination",source_workload="a",destination_workload="b",response_code="200",connection_security_policy="mutual_tls"} 90
istio_request_duration_milliseconds_bucket{reporter="source",source_workload="a",destination_workload="b",le="1"} 50
istio_request_duration_milliseconds_bucket{reporter="source",source_workload="a",destination_workload="b",le="5"} 100
istio_request_duration_milliseconds_bucket{reporter="source",source_workload="a",destination_workload="b",le="+Inf"} 100
other_metric{a="b"} 1
)";

TrafficReading reading(std::string_view text, int seconds) {
  TrafficReading result;
  result.taken = std::chrono::steady_clock::time_point(std::chrono::seconds(seconds));
  result.add(parse_metrics(text, "istio_request"));
  return result;
}

TEST(Metrics, ReadsNamesLabelsAndValues) {
  auto samples = parse_metrics("x_total{a=\"1,\\\"}\",b=\"\"} 2.5\nx_sum 7\ny 1\n", "x");
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0].labels["a"], "1,\"}");
  EXPECT_EQ(samples[0].value, 2.5);
  EXPECT_EQ(samples[1].name, "x_sum");
}

TEST(Metrics, PassesOverWhatIsNotASample) {
  EXPECT_TRUE(parse_metrics("x{a=\"unterminated\nx\nx{=} 1", "x").empty());
}

TEST(Edges, JoinsBothReportersIntoOneRow) {
  auto rates = rates_between(reading("", 0), reading(kText, 10));
  ASSERT_EQ(rates.size(), 1u);
  EXPECT_EQ(rates[0].name.destination, "b");
  EXPECT_DOUBLE_EQ(rates[0].per_second, 10);
  EXPECT_DOUBLE_EQ(rates[0].success, 0.9);
  EXPECT_EQ(rates[0].security, EdgeRate::Security::MutualTls);
  EXPECT_DOUBLE_EQ(rates[0].p50, 1);
  EXPECT_DOUBLE_EQ(rates[0].p99, 1 + 4 * 0.98);
}

TEST(Edges, QuietEdgesAreNotShown) {
  EXPECT_TRUE(rates_between(reading(kText, 0), reading(kText, 10)).empty());
}

TEST(Edges, AProxyThatStartedAgainIsNotNegative) {
  std::string fewer(kText);
  fewer.replace(fewer.find("} 90"), 4, "} 40");
  auto rates = rates_between(reading(kText, 0), reading(fewer, 10));
  ASSERT_EQ(rates.size(), 1u);
  EXPECT_DOUBLE_EQ(rates[0].per_second, 5);
}

TEST(Quantile, OfNothingIsZero) {
  EXPECT_EQ(quantile({}, 0.5), 0);
  EXPECT_EQ(quantile({{1.0, 0.0}}, 0.5), 0);
}

TEST(Quantile, AboveTheLastBoundIsTheLastBound) {
  EXPECT_EQ(quantile({{5.0, 1.0}, {std::numeric_limits<double>::infinity(), 100.0}}, 0.99), 5);
}

}  // namespace
}  // namespace sennit::cli

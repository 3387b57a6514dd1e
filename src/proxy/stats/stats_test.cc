#include "proxy/stats/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace sennit::stats {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Registry, GivesOneIdPerKeySoThatCountingGoesOn) {
  Registry registry;
  const auto first = registry.counter({"cluster.a.upstream_rq_total"});
  EXPECT_EQ(first.index, registry.counter({"cluster.a.upstream_rq_total"}).index);
  EXPECT_NE(first.index, registry.counter({"cluster.b.upstream_rq_total"}).index);
}

TEST(Registry, SumsTheShardsOfAllThreads) {
  Registry registry;
  const auto id = registry.counter({"x"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&registry, id] {
      Shard& shard = registry.new_shard();
      for (int n = 0; n < 1000; ++n) shard.inc(id);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(registry.counter_value("x"), 4000u);
}

TEST(Registry, AGaugeRaisedOnOneThreadAndLoweredOnAnotherIsZero) {
  Registry registry;
  const auto id = registry.gauge({"g"});
  registry.new_shard().add(id, 1);
  registry.new_shard().add(id, -1);
  EXPECT_EQ(registry.text("", false), "g: 0\n");
}

TEST(Registry, IdZeroOfEveryKindIsHarmless) {
  Registry registry;
  const auto id = registry.counter({"x"});
  Shard& shard = registry.new_shard();
  shard.inc(CounterId{});
  shard.record(HistogramId{}, UINT64_MAX);
  shard.inc(id);
  EXPECT_EQ(registry.counter_value("x"), 1u);
}

TEST(Registry, MetricsBeyondTheFirstChunkCount) {
  Registry registry;
  Shard& shard = registry.new_shard();
  for (int i = 0; i < 3000; ++i) shard.inc(registry.counter({"c" + std::to_string(i)}), i);
  EXPECT_EQ(registry.counter_value("c2999"), 2999u);
}

TEST(Registry, ResetMakesCountersStartAgainButLeavesGauges) {
  Registry registry;
  Shard& shard = registry.new_shard();
  const auto counter = registry.counter({"c"});
  shard.inc(counter, 5);
  shard.add(registry.gauge({"g"}), 7);
  registry.reset_counters();
  shard.inc(counter, 2);
  EXPECT_EQ(registry.text("", false), "c: 2\ng: 7\n");
}

TEST(StatsText, UsedOnlyLeavesOutWhatNeverCounted) {
  Registry registry;
  registry.counter({"never"});
  registry.new_shard().inc(registry.counter({"once"}));
  EXPECT_EQ(registry.text("", true), "once: 1\n");
}

TEST(StatsText, TheFilterIsARegexSearchedInTheName) {
  Registry registry;
  registry.counter({"cluster.a.rq"});
  registry.counter({"listener.b.cx"});
  EXPECT_EQ(registry.text("^clus.*rq$", false), "cluster.a.rq: 0\n");
}

TEST(StatsText, ABadFilterIsNamed) {
  const auto status = Registry::check_filter("(");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("\"(\""));
}

TEST(StatsText, PrintsAnEmptyHistogramAsEnvoyDoes) {
  Registry registry;
  registry.histogram({"h"});
  EXPECT_EQ(registry.text("", false), "h: No recorded values\n");
}

TEST(StatsText, PercentilesLieInTheBucketThatHoldsThem) {
  Registry registry;
  Shard& shard = registry.new_shard();
  const auto id = registry.histogram({"h"});
  for (int i = 0; i < 100; ++i) shard.record(id, 7);
  EXPECT_THAT(registry.text("", false), HasSubstr("P50(nan,7.5)"));
  EXPECT_THAT(registry.text("", false), HasSubstr("P100(nan,10)"));
}

TEST(StatsJson, IsAListOfNamesAndValues) {
  Registry registry;
  registry.new_shard().inc(registry.counter({"a\"b"}));
  EXPECT_EQ(registry.json("", false), R"({"stats":[{"name":"a\"b","value":1}]})");
}

TEST(Prometheus, GroupsAFamilyUnderOneTypeLine) {
  Registry registry;
  registry.counter({"cluster.b.rq", "envoy_cluster_rq", {{"envoy_cluster_name", "b"}}});
  registry.counter({"a.other", "envoy_other", {}});
  registry.counter({"cluster.c.rq", "envoy_cluster_rq", {{"envoy_cluster_name", "c"}}});
  EXPECT_EQ(registry.prometheus("", false),
            "# TYPE envoy_cluster_rq counter\n"
            "envoy_cluster_rq{envoy_cluster_name=\"b\"} 0\n"
            "envoy_cluster_rq{envoy_cluster_name=\"c\"} 0\n\n"
            "# TYPE envoy_other counter\n"
            "envoy_other{} 0\n\n");
}

TEST(Prometheus, EscapesLabelValues) {
  Registry registry;
  registry.counter({"", "f", {{"l", "a\"b\\c\nd"}}});
  EXPECT_THAT(registry.prometheus("", false), HasSubstr(R"(f{l="a\"b\\c\nd"} 0)"));
}

TEST(Prometheus, HistogramBucketsAreCumulativeWithSumAndCount) {
  Registry registry;
  Shard& shard = registry.new_shard();
  const auto id = registry.histogram({"", "d_milliseconds", {{"r", "source"}}});
  shard.record(id, 1);
  shard.record(id, 7);
  shard.record(id, 4000000);
  const std::string out = registry.prometheus("", false);
  EXPECT_THAT(out, HasSubstr("# TYPE d_milliseconds histogram\n"));
  EXPECT_THAT(out, HasSubstr("d_milliseconds_bucket{r=\"source\",le=\"0.5\"} 0\n"));
  EXPECT_THAT(out, HasSubstr("d_milliseconds_bucket{r=\"source\",le=\"1\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("d_milliseconds_bucket{r=\"source\",le=\"10\"} 2\n"));
  EXPECT_THAT(out, HasSubstr("le=\"3600000\"} 2\n"));
  EXPECT_THAT(out, Not(HasSubstr("3.6e")));
  EXPECT_THAT(out, HasSubstr("le=\"+Inf\"} 3\n"));
  EXPECT_THAT(out, HasSubstr("d_milliseconds_sum{r=\"source\"} 4000008\n"));
  EXPECT_THAT(out, HasSubstr("d_milliseconds_count{r=\"source\"} 3\n"));
}

TEST(Prometheus, AFamilyIsDerivedFromTheNameWhereNoneIsGiven) {
  Registry registry;
  registry.gauge({"server.live"});
  EXPECT_THAT(registry.prometheus("", false), HasSubstr("envoy_server_live{} 0"));
}

}  // namespace
}  // namespace sennit::stats

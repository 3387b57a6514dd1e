#include "proxy/telemetry/istio_stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "proxy/upstream/cluster_info.h"
#include "proxy/upstream/host.h"

namespace sennit::proxy {
namespace {

using LabelMap = std::map<std::string, std::string>;

class IstioStatsTest : public ::testing::Test {
 protected:
  IstioStatsTest() : shard_(registry_.new_shard()) {
    node_.workload_name = "web-v1";
    node_.namespace_ = "shop";
    node_.cluster_id = "c1";
    node_.labels = {{"app", "web"}, {"version", "v1"}};
    auto cluster = std::make_shared<ClusterInfo>();
    cluster->name = "outbound|80||db.data.svc";
    cluster->istio_service_host = "db.data.svc";
    cluster->istio_service_name = "db";
    cluster->istio_service_namespace = "data";
    info_.cluster = cluster;
    info_.protocol = http::Protocol::Http11;
    info_.response_code = 200;
    info_.downstream = &downstream_;
    peer_ = std::make_shared<PeerMetadata>(PeerMetadata{.workload = "db-v2", .namespace_ = "data"});
  }
  std::shared_ptr<const IstioStats> make(Reporter reporter,
                                         const ::stats::PluginConfig& config = {}) {
    auto made = IstioStats::create(config, registry_, node_, reporter);
    EXPECT_TRUE(made) << made.error().message;
    return *made;
  }
  // The labels of the metrics of a family that counted something, and their sum.
  std::pair<LabelMap, uint64_t> counted(const std::string& family) {
    LabelMap labels;
    uint64_t sum = 0;
    for (const auto& sample : registry_.collect()) {
      if (sample.key->family != family || sample.value == 0) continue;
      labels = LabelMap(sample.key->labels.begin(), sample.key->labels.end());
      sum += sample.value;
    }
    return {labels, sum};
  }

  stats::Registry registry_;
  stats::Shard& shard_;
  LocalNode node_;
  DownstreamInfo downstream_;
  StreamInfo info_;
  std::shared_ptr<const PeerMetadata> peer_;
};

TEST_F(IstioStatsTest, LabelsRequestsAtTheSource) {
  info_.upstream.peer = peer_;
  info_.upstream.peer_principal = "spiffe://td/ns/data/sa/db";
  info_.upstream.local_principal = "spiffe://td/ns/shop/sa/web";
  auto istio = make(Reporter::Source);
  istio->record_request(info_, nullptr, shard_);
  istio->record_request(info_, nullptr, shard_);
  const auto [labels, sum] = counted("istio_requests_total");
  EXPECT_EQ(sum, 2u);
  const LabelMap expected = {
      {"reporter", "source"},
      {"source_workload", "web-v1"},
      {"source_canonical_service", "web"},
      {"source_canonical_revision", "v1"},
      {"source_workload_namespace", "shop"},
      {"source_principal", "spiffe://td/ns/shop/sa/web"},
      {"source_app", "web"},
      {"source_version", "v1"},
      {"source_cluster", "c1"},
      {"destination_workload", "db-v2"},
      {"destination_canonical_service", "unknown"},
      {"destination_canonical_revision", "latest"},
      {"destination_workload_namespace", "data"},
      {"destination_principal", "spiffe://td/ns/data/sa/db"},
      {"destination_app", "unknown"},
      {"destination_version", "unknown"},
      {"destination_cluster", "unknown"},
      {"destination_service", "db.data.svc"},
      {"destination_service_name", "db"},
      {"destination_service_namespace", "data"},
      {"request_protocol", "http"},
      {"response_code", "200"},
      {"grpc_response_status", ""},
      {"response_flags", "-"},
      {"connection_security_policy", "unknown"},
  };
  EXPECT_EQ(labels, expected);
}

TEST_F(IstioStatsTest, LabelsRequestsAtTheDestination) {
  net::TlsInfo tls;
  tls.peer_certificate_presented = true;
  tls.peer_uri_sans = {"spiffe://td/ns/data/sa/db"};
  downstream_.tls = &tls;
  info_.downstream_peer = peer_;
  make(Reporter::Destination)->record_request(info_, nullptr, shard_);
  auto labels = counted("istio_requests_total").first;
  EXPECT_EQ(labels["reporter"], "destination");
  EXPECT_EQ(labels["source_workload"], "db-v2");
  EXPECT_EQ(labels["source_principal"], "spiffe://td/ns/data/sa/db");
  EXPECT_EQ(labels["destination_workload"], "web-v1");
  EXPECT_EQ(labels["connection_security_policy"], "mutual_tls");
}

TEST_F(IstioStatsTest, TakesTheEndpointsMetadataWherePeersSayNothing) {
  auto host = std::make_shared<Host>();
  host->istio_workload = "db-v3;data;db;v3;c2";
  info_.upstream.host = host;
  make(Reporter::Source)->record_request(info_, nullptr, shard_);
  auto labels = counted("istio_requests_total").first;
  EXPECT_EQ(labels["destination_workload"], "db-v3");
  EXPECT_EQ(labels["destination_canonical_revision"], "v3");
  EXPECT_EQ(labels["destination_cluster"], "c2");
}

TEST_F(IstioStatsTest, NamesTheServiceByTheHostHeaderUnlessToldNotTo) {
  auto cluster = std::make_shared<ClusterInfo>();
  cluster->name = "PassthroughCluster";
  info_.cluster = cluster;
  http::HeaderMap request;
  request.add(http::HeaderId::Authority, "ext.test");
  make(Reporter::Source)->record_request(info_, &request, shard_);
  auto labels = counted("istio_requests_total").first;
  EXPECT_EQ(labels["destination_service"], "ext.test");
  EXPECT_EQ(labels["destination_service_name"], "PassthroughCluster");
}

TEST_F(IstioStatsTest, TellsTuplesApart) {
  auto istio = make(Reporter::Source);
  istio->record_request(info_, nullptr, shard_);
  info_.response_code = 503;
  info_.flags.set(ResponseFlag::NoHealthyUpstream);
  istio->record_request(info_, nullptr, shard_);
  std::vector<std::string> codes;
  for (const auto& sample : registry_.collect()) {
    if (sample.key->family != "istio_requests_total") continue;
    for (const auto& [name, value] : sample.key->labels) {
      if (name == "response_code" || name == "response_flags") codes.push_back(value);
    }
  }
  std::ranges::sort(codes);
  EXPECT_EQ(codes, (std::vector<std::string>{"-", "200", "503", "UH"}));
}

TEST_F(IstioStatsTest, CountsTcp) {
  info_.protocol.reset();
  auto istio = make(Reporter::Source);
  istio->record_tcp(info_, {.opened = true}, shard_);
  istio->record_tcp(info_, {.closed = true, .received_bytes = 10, .sent_bytes = 20}, shard_);
  EXPECT_EQ(counted("istio_tcp_connections_opened_total").second, 1u);
  EXPECT_EQ(counted("istio_tcp_connections_closed_total").second, 1u);
  EXPECT_EQ(counted("istio_tcp_received_bytes_total").second, 10u);
  const auto [labels, sum] = counted("istio_tcp_sent_bytes_total");
  EXPECT_EQ(sum, 20u);
  EXPECT_EQ(labels.at("request_protocol"), "tcp");
  EXPECT_FALSE(labels.contains("response_code"));
}

TEST_F(IstioStatsTest, DropsAndTrimsMetricsAsToldTo) {
  ::stats::PluginConfig config;
  auto* drop = config.add_metrics();
  drop->set_name("request_bytes");
  drop->set_drop(true);
  auto* trim = config.add_metrics();
  trim->add_tags_to_remove("source_app");
  (*trim->mutable_dimensions())["mesh"] = "'one'";
  make(Reporter::Source, config)->record_request(info_, nullptr, shard_);
  const auto labels = counted("istio_requests_total").first;
  EXPECT_FALSE(labels.contains("source_app"));
  EXPECT_EQ(labels.at("mesh"), "one");
  for (const auto& sample : registry_.collect())
    EXPECT_NE(sample.key->family, "istio_request_bytes");
}

TEST_F(IstioStatsTest, RefusesExpressionsByTheirField) {
  ::stats::PluginConfig config;
  (*config.add_metrics()->mutable_dimensions())["m"] = "request.method";
  EXPECT_EQ(IstioStats::create(config, registry_, node_, Reporter::Source).error().message,
            "metrics[0].dimensions[m]: the expression request.method is not supported");
}

}  // namespace
}  // namespace sennit::proxy

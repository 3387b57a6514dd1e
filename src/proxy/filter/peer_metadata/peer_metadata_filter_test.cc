#include <istio/peer_metadata.pb.h>

#include "proxy/filter/test_callbacks.h"
#include "proxy/telemetry/peer_metadata.h"

namespace sennit::proxy {
namespace {

using Config = io::istio::http::peer_metadata::Config;
using http::HeaderId;

Config client_config() {
  Config config;
  config.add_upstream_discovery()->mutable_istio_headers();
  config.add_upstream_propagation()->mutable_istio_headers();
  return config;
}

Config server_config() {
  Config config;
  config.add_downstream_discovery()->mutable_istio_headers();
  config.add_downstream_propagation()->mutable_istio_headers();
  return config;
}

class PeerMetadataFilterTest : public ::testing::Test {
 protected:
  PeerMetadataFilterTest() {
    stream_.node_.id = "sidecar~10.0.0.1~web-1.shop~shop.svc";
    stream_.node_.workload_name = "web";
    stream_.node_.namespace_ = "shop";
    peer_.workload = "db";
    peer_.namespace_ = "data";
    peer_.app = "postgres";
    encoded_ = encode_peer_metadata(peer_, "db-1");
  }
  void add_peer(http::HeaderMap& headers) {
    headers.add(HeaderId::XEnvoyPeerMetadataId, "sidecar~x");
    headers.add(HeaderId::XEnvoyPeerMetadata, encoded_);
  }
  TestCallbacks stream_;
  PeerMetadata peer_;
  std::string encoded_;
};

TEST_F(PeerMetadataFilterTest, AClientSaysWhoItIsAndLearnsTheServer) {
  auto filter = stream_.make_filter(client_config());
  filter->on_request_headers(stream_.request_, true);
  EXPECT_EQ(stream_.request_.get(HeaderId::XEnvoyPeerMetadataId), stream_.node_.id);
  const auto told = decode_peer_metadata(*stream_.request_.get(HeaderId::XEnvoyPeerMetadata));
  EXPECT_EQ(told->workload, "web");
  http::HeaderMap response;
  add_peer(response);
  filter->on_response_headers(response, true);
  EXPECT_EQ(stream_.info_.upstream.peer->workload, "db");
  EXPECT_TRUE(response.empty());
}

TEST_F(PeerMetadataFilterTest, AServerLearnsTheClientAndAnswers) {
  auto filter = stream_.make_filter(server_config(), TrafficDirection::Inbound);
  add_peer(stream_.request_);
  filter->on_request_headers(stream_.request_, true);
  EXPECT_EQ(stream_.info_.downstream_peer->app, "postgres");
  EXPECT_TRUE(stream_.request_.empty());
  http::HeaderMap response;
  filter->on_response_headers(response, true);
  EXPECT_EQ(response.get(HeaderId::XEnvoyPeerMetadataId), stream_.node_.id);
}

TEST_F(PeerMetadataFilterTest, AServerTellsNothingToAClientThatSaidNothing) {
  auto filter = stream_.make_filter(server_config(), TrafficDirection::Inbound);
  filter->on_request_headers(stream_.request_, true);
  http::HeaderMap response;
  filter->on_response_headers(response, true);
  EXPECT_TRUE(response.empty());
}

}  // namespace
}  // namespace sennit::proxy

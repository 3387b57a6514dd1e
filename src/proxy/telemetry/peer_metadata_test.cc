#include "proxy/telemetry/peer_metadata.h"

#include <gtest/gtest.h>

#include "proxy/telemetry/base64.h"

namespace sennit::proxy {
namespace {

TEST(Base64, EncodesAndDecodes) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe", "//4="}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
  EXPECT_EQ(base64_decode("Zg"), "f");
  EXPECT_EQ(base64_decode("Z"), std::nullopt);
  EXPECT_EQ(base64_decode("Z!=="), std::nullopt);
}

TEST(PeerMetadata, ComesBackAsItWent) {
  PeerMetadata peer;
  peer.workload = "web-v1";
  peer.namespace_ = "shop";
  peer.cluster = "c1";
  peer.app = "web";
  peer.version = "v1";
  peer.canonical_name = "web";
  peer.canonical_revision = "v1";
  const auto back = decode_peer_metadata(encode_peer_metadata(peer, "web-v1-abc"));
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(back->workload, "web-v1");
  EXPECT_EQ(back->namespace_, "shop");
  EXPECT_EQ(back->cluster, "c1");
  EXPECT_EQ(back->app, "web");
  EXPECT_EQ(back->version, "v1");
  EXPECT_EQ(back->canonical_name, "web");
  EXPECT_EQ(back->canonical_revision, "v1");
}

TEST(PeerMetadata, GivesEqualHeadersOneObject) {
  const std::string header = encode_peer_metadata(PeerMetadata{.workload = "w"}, "");
  EXPECT_EQ(decode_peer_metadata(header), decode_peer_metadata(header));
}

TEST(PeerMetadata, RefusesWhatIsNoMetadata) {
  EXPECT_EQ(decode_peer_metadata("not base64!"), nullptr);
  EXPECT_EQ(decode_peer_metadata("////"), nullptr);
}

TEST(PeerMetadata, ReadsTheWorkloadOfAnEndpoint) {
  const auto peer = peer_metadata_from_workload("web-v1;shop;web;v1;c1");
  EXPECT_EQ(peer.workload, "web-v1");
  EXPECT_EQ(peer.namespace_, "shop");
  EXPECT_EQ(peer.canonical_name, "web");
  EXPECT_EQ(peer.canonical_revision, "v1");
  EXPECT_EQ(peer.cluster, "c1");
}

}  // namespace
}  // namespace sennit::proxy

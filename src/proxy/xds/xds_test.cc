#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/xds/discovery_stream.h"
#include "proxy/xds/subscription.h"
#include "proxy/xds/type_urls.h"

namespace sennit::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ResourceConsumer kAccept = [](const ResourceUpdate&) { return Status(); };
const ResourceConsumer kReject = [](const ResourceUpdate&) -> Status {
  return fail("cluster a: no_such_field: not supported");
};

Subscription::SotwResponse sotw(const std::string& version, const std::string& nonce) {
  Subscription::SotwResponse response;
  response.set_type_url(kClusterType);
  response.set_version_info(version);
  response.set_nonce(nonce);
  return response;
}

Subscription::DeltaResponse delta(const std::string& name, const std::string& version) {
  Subscription::DeltaResponse response;
  response.set_type_url(kClusterType);
  response.set_nonce("n");
  auto* resource = response.add_resources();
  resource->set_name(name);
  resource->set_version(version);
  resource->mutable_resource()->set_type_url(kClusterType);
  return response;
}

TEST(Sotw, AnAckCarriesTheNewVersionAndTheNonce) {
  Subscription subscription(kClusterType, true, kAccept);
  subscription.sotw_request();
  const auto ack = subscription.handle(sotw("v1", "n1"));
  EXPECT_EQ(ack.version_info(), "v1");
  EXPECT_EQ(ack.response_nonce(), "n1");
  EXPECT_FALSE(ack.has_error_detail());
}

TEST(Sotw, ANackKeepsTheOldVersionAndNamesTheField) {
  bool accept = true;
  Subscription subscription(kClusterType, true, [&](const ResourceUpdate& update) {
    return accept ? kAccept(update) : kReject(update);
  });
  subscription.handle(sotw("v1", "n1"));
  accept = false;
  const auto nack = subscription.handle(sotw("v2", "n2"));
  EXPECT_EQ(nack.version_info(), "v1");
  EXPECT_EQ(nack.response_nonce(), "n2");
  EXPECT_EQ(nack.error_detail().message(), "cluster a: no_such_field: not supported");
}

TEST(Sotw, ANewStreamKeepsTheVersionButNotTheNonce) {
  Subscription subscription(kClusterType, true, kAccept);
  subscription.handle(sotw("v1", "n1"));
  subscription.on_new_stream();
  const auto request = subscription.sotw_request();
  EXPECT_EQ(request.version_info(), "v1");
  EXPECT_EQ(request.response_nonce(), "");
}

TEST(Sotw, AResourceOfAnotherTypeIsRejected) {
  Subscription subscription(kClusterType, true, kAccept);
  auto response = sotw("v1", "n1");
  response.add_resources()->set_type_url(kListenerType);
  EXPECT_TRUE(subscription.handle(response).has_error_detail());
}

TEST(Delta, OnlyTheDifferenceIsAskedFor) {
  Subscription subscription(kEndpointType, false, kAccept);
  subscription.set_names({"a", "b"});
  EXPECT_THAT(subscription.delta_request().resource_names_subscribe(), ElementsAre("a", "b"));
  subscription.set_names({"b", "c"});
  const auto request = subscription.delta_request();
  EXPECT_THAT(request.resource_names_subscribe(), ElementsAre("c"));
  EXPECT_THAT(request.resource_names_unsubscribe(), ElementsAre("a"));
}

TEST(Delta, AReconnectTellsTheVersionsThatAreInUse) {
  Subscription subscription(kClusterType, true, kAccept);
  subscription.delta_request();
  subscription.handle(delta("a", "1"));
  subscription.on_new_stream();
  const auto request = subscription.delta_request();
  const auto& versions = request.initial_resource_versions();
  ASSERT_EQ(versions.size(), 1u);
  EXPECT_EQ(versions.at("a"), "1");
}

TEST(Delta, ARejectedResourceIsNotInUse) {
  Subscription subscription(kClusterType, true, kReject);
  subscription.delta_request();
  EXPECT_TRUE(subscription.handle(delta("a", "1")).has_error_detail());
  subscription.on_new_stream();
  EXPECT_EQ(subscription.delta_request().initial_resource_versions().size(), 0u);
}

// A transport that keeps what was sent, and lets the test play the server.
struct FakeTransport : DiscoveryTransport {
  struct FakeCall : Call {
    explicit FakeCall(std::vector<std::string>& sent) : sent_(sent) {}
    void send(std::string_view message) override { sent_.emplace_back(message); }
    std::vector<std::string>& sent_;
  };
  std::unique_ptr<Call> open(const std::string&, const std::string&,
                             CallCallbacks& callbacks) override {
    ++opened;
    server = &callbacks;
    sent.clear();
    return std::make_unique<FakeCall>(sent);
  }
  Subscription::SotwRequest request(size_t index) const {
    Subscription::SotwRequest parsed;
    parsed.ParseFromString(sent.at(index));
    return parsed;
  }
  int opened = 0;
  CallCallbacks* server = nullptr;
  std::vector<std::string> sent;
};

struct StreamTest : ::testing::Test {
  StreamTest() {
    options.cluster = "xds-grpc";
    options.node.set_id("me");
    options.set_node_on_first_message_only = true;
  }
  net::EventLoop loop;
  stats::Registry registry;
  stats::Shard& shard = registry.new_shard();
  FakeTransport transport;
  DiscoveryStreamOptions options;
};

TEST_F(StreamTest, TheNodeGoesWithTheFirstMessageOnly) {
  DiscoveryStream stream(loop, transport, options, registry, shard);
  stream.add(kClusterType, true, kAccept, "cluster_manager.cds.");
  stream.add(kListenerType, true, kAccept, "listener_manager.lds.");
  stream.start();
  ASSERT_EQ(transport.sent.size(), 2u);
  EXPECT_EQ(transport.request(0).node().id(), "me");
  EXPECT_FALSE(transport.request(1).has_node());
}

TEST_F(StreamTest, ATypeOfWhichNothingIsWantedIsNotAskedFor) {
  DiscoveryStream stream(loop, transport, options, registry, shard);
  auto& endpoints = stream.add(kEndpointType, false, kAccept, "eds.");
  stream.start();
  EXPECT_THAT(transport.sent, IsEmpty());
  stream.set_names(endpoints, {"a"});
  ASSERT_EQ(transport.sent.size(), 1u);
  EXPECT_THAT(transport.request(0).resource_names(), ElementsAre("a"));
}

TEST_F(StreamTest, ARejectedUpdateIsCountedAndAnswered) {
  DiscoveryStream stream(loop, transport, options, registry, shard);
  stream.add(kClusterType, true, kReject, "cluster_manager.cds.");
  stream.start();
  transport.server->on_message(sotw("v1", "n1").SerializeAsString());
  EXPECT_TRUE(transport.request(1).has_error_detail());
  EXPECT_EQ(registry.counter_value("cluster_manager.cds.update_rejected"), 1u);
  EXPECT_EQ(registry.counter_value("cluster_manager.cds.update_success"), 0u);
}

TEST_F(StreamTest, AClosedStreamIsOpenedAgainWithTheVersionInUse) {
  DiscoveryStream stream(loop, transport, options, registry, shard);
  stream.add(kClusterType, true, kAccept, "cluster_manager.cds.");
  stream.start();
  transport.server->on_message(sotw("v1", "n1").SerializeAsString());
  transport.server->on_closed("gone");
  while (transport.opened < 2) loop.run_once(net::Milliseconds(1000));
  ASSERT_EQ(transport.sent.size(), 1u);
  EXPECT_EQ(transport.request(0).version_info(), "v1");
  EXPECT_EQ(transport.request(0).node().id(), "me");
}

}  // namespace
}  // namespace sennit::proxy

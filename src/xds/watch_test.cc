#include "xds/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sennit::xds {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class FakeResources final : public Resources {
 public:
  void put(const std::string& name, const std::string& content) {
    resources_[name] = {name, std::make_shared<const std::string>(content), content_hash(content)};
  }
  void remove(const std::string& name) { resources_.erase(name); }
  std::vector<Resource> all(std::string_view) const override {
    std::vector<Resource> result;
    for (const auto& [name, resource] : resources_) result.push_back(resource);
    return result;
  }
  Resource one(std::string_view, std::string_view name) const override {
    auto found = resources_.find(std::string(name));
    return found == resources_.end() ? Resource{std::string(name), nullptr, 0} : found->second;
  }

 private:
  std::map<std::string, Resource> resources_;
};

DeltaDiscoveryRequest delta(std::vector<std::string> subscribe,
                            std::vector<std::string> unsubscribe = {}) {
  DeltaDiscoveryRequest request;
  request.mutable_resource_names_subscribe()->Assign(subscribe.begin(), subscribe.end());
  request.mutable_resource_names_unsubscribe()->Assign(unsubscribe.begin(), unsubscribe.end());
  return request;
}

DiscoveryRequest sotw(std::vector<std::string> names, const std::string& nonce = "") {
  DiscoveryRequest request;
  request.mutable_resource_names()->Assign(names.begin(), names.end());
  request.set_response_nonce(nonce);
  return request;
}

std::vector<std::string> names(const std::optional<DeltaDiscoveryResponse>& response) {
  std::vector<std::string> result;
  if (response)
    for (const auto& resource : response->resources()) result.push_back(resource.name());
  return result;
}

class DeltaWatch : public testing::Test {
 protected:
  void SetUp() override {
    resources_.put("a", "1");
    resources_.put("b", "1");
  }
  FakeResources resources_;
  Watch clusters_{std::string(kClusterType)};
  Watch endpoints_{std::string(kEndpointType)};
};

TEST_F(DeltaWatch, AWildcardGetsEverythingAndThenOnlyWhatChanged) {
  EXPECT_TRUE(clusters_.on_request(delta({})));
  EXPECT_THAT(names(clusters_.make_delta(resources_, {.must_answer = true})),
              ElementsAre("a", "b"));
  EXPECT_FALSE(clusters_.make_delta(resources_, {}).has_value());
  resources_.put("b", "2");
  EXPECT_THAT(names(clusters_.make_delta(resources_, {})), ElementsAre("b"));
}

TEST_F(DeltaWatch, RemovalsCanBeHeldBackAndThenGoOut) {
  clusters_.on_request(delta({}));
  clusters_.make_delta(resources_, {.must_answer = true});
  resources_.remove("a");
  resources_.put("c", "1");
  auto first = clusters_.make_delta(resources_, {.keep_removed = true});
  EXPECT_THAT(names(first), ElementsAre("c"));
  EXPECT_THAT(first->removed_resources(), IsEmpty());
  auto second = clusters_.make_delta(resources_, {});
  EXPECT_THAT(second->removed_resources(), ElementsAre("a"));
}

TEST_F(DeltaWatch, AReconnectingProxyIsSentOnlyTheDifference) {
  clusters_.on_request(delta({}));
  auto first = clusters_.make_delta(resources_, {.must_answer = true});
  Watch again{std::string(kClusterType)};
  DeltaDiscoveryRequest request = delta({});
  for (const auto& resource : first->resources())
    (*request.mutable_initial_resource_versions())[resource.name()] = resource.version();
  resources_.put("b", "2");
  again.on_request(request);
  EXPECT_THAT(names(again.make_delta(resources_, {.must_answer = true})), ElementsAre("b"));
}

TEST_F(DeltaWatch, NamedResourcesComeAsTheyAreSubscribedAndStopWhenNot) {
  EXPECT_TRUE(endpoints_.on_request(delta({"a"})));
  EXPECT_THAT(names(endpoints_.make_delta(resources_, {.must_answer = true})), ElementsAre("a"));
  EXPECT_TRUE(endpoints_.on_request(delta({"b"})));
  EXPECT_THAT(names(endpoints_.make_delta(resources_, {.must_answer = true})), ElementsAre("b"));
  EXPECT_FALSE(endpoints_.on_request(delta({}, {"a"})));
  resources_.put("a", "2");
  EXPECT_FALSE(endpoints_.make_delta(resources_, {}).has_value());
}

TEST_F(DeltaWatch, WhatDoesNotExistIsSaidOnceAndComesWhenItDoes) {
  endpoints_.on_request(delta({"c"}));
  auto absent = endpoints_.make_delta(resources_, {.must_answer = true});
  EXPECT_THAT(absent->removed_resources(), ElementsAre("c"));
  EXPECT_FALSE(endpoints_.make_delta(resources_, {}).has_value());
  resources_.put("c", "1");
  EXPECT_THAT(names(endpoints_.make_delta(resources_, {})), ElementsAre("c"));
}

TEST_F(DeltaWatch, ResendSendsWhatDidNotChange) {
  endpoints_.on_request(delta({"a", "b"}));
  endpoints_.make_delta(resources_, {.must_answer = true});
  endpoints_.resend({"a"});
  EXPECT_THAT(names(endpoints_.make_delta(resources_, {})), ElementsAre("a"));
}

TEST_F(DeltaWatch, AnEndpointChangeLooksOnlyAtItsServices) {
  resources_.put("outbound|80||a.example", "1");
  resources_.put("outbound|80||b.example", "1");
  endpoints_.on_request(delta({"outbound|80||a.example", "outbound|80||b.example"}));
  endpoints_.make_delta(resources_, {.must_answer = true});
  resources_.put("outbound|80||a.example", "2");
  resources_.put("outbound|80||b.example", "2");
  std::set<std::string> services{"a.example"};
  EXPECT_THAT(names(endpoints_.make_delta(resources_, {.services = &services})),
              ElementsAre("outbound|80||a.example"));
}

TEST_F(DeltaWatch, ANackIsKeptUntilTheNextAck) {
  clusters_.on_request(delta({}));
  auto response = clusters_.make_delta(resources_, {.must_answer = true});
  DeltaDiscoveryRequest answer;
  answer.set_response_nonce(response->nonce());
  answer.mutable_error_detail()->set_message("bad field");
  EXPECT_FALSE(clusters_.on_request(answer));
  EXPECT_EQ(clusters_.rejection(), "bad field");
  EXPECT_EQ(clusters_.rejections(), 1u);
  answer.clear_error_detail();
  clusters_.on_request(answer);
  EXPECT_EQ(clusters_.rejection(), "");
  EXPECT_TRUE(clusters_.acknowledged());
}

class SotwWatch : public DeltaWatch {};

TEST_F(SotwWatch, AnswersTheFirstRequestAndNotItsAck) {
  EXPECT_TRUE(clusters_.on_request(sotw({})));
  auto response = clusters_.make_response(resources_, {.must_answer = true});
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->resources_size(), 2);
  EXPECT_FALSE(clusters_.on_request(sotw({}, response->nonce())));
  EXPECT_FALSE(clusters_.make_response(resources_, {}).has_value());
}

TEST_F(SotwWatch, AWholeSetIsSentWholeWhenOneChangesOrGoes) {
  clusters_.on_request(sotw({}));
  clusters_.make_response(resources_, {.must_answer = true});
  resources_.put("b", "2");
  EXPECT_EQ(clusters_.make_response(resources_, {})->resources_size(), 2);
  resources_.remove("a");
  EXPECT_EQ(clusters_.make_response(resources_, {})->resources_size(), 1);
}

TEST_F(SotwWatch, AStaleNonceIsIgnored) {
  endpoints_.on_request(sotw({"a"}));
  auto first = endpoints_.make_response(resources_, {.must_answer = true});
  resources_.put("a", "2");
  endpoints_.make_response(resources_, {});
  EXPECT_FALSE(endpoints_.on_request(sotw({"a", "b"}, first->nonce())));
}

TEST_F(SotwWatch, MoreNamesAreAnsweredFewerAreNot) {
  endpoints_.on_request(sotw({"a"}));
  auto first = endpoints_.make_response(resources_, {.must_answer = true});
  EXPECT_TRUE(endpoints_.on_request(sotw({"a", "b"}, first->nonce())));
  auto second = endpoints_.make_response(resources_, {.must_answer = true});
  EXPECT_EQ(second->resources_size(), 2);
  EXPECT_FALSE(endpoints_.on_request(sotw({"b"}, second->nonce())));
}

TEST_F(SotwWatch, WhatDoesNotExistStaysUnansweredUntilItDoes) {
  endpoints_.on_request(sotw({"c"}));
  EXPECT_FALSE(endpoints_.make_response(resources_, {.must_answer = true}).has_value());
  resources_.put("c", "1");
  EXPECT_EQ(endpoints_.make_response(resources_, {})->resources_size(), 1);
}

}  // namespace
}  // namespace sennit::xds

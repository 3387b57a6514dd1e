#include "mesh/server/config_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "mesh/api/decode.h"

namespace sennit::mesh {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string service_entry(const std::string& name, const std::string& host) {
  return "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: " + name +
         "}\nspec:\n  hosts: [" + host +
         "]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: NONE\n";
}

ChangeSet change(const std::string& yaml, bool initial) {
  ChangeSet changes;
  changes.upserted = decode(yaml, "test.yaml").resources;
  changes.initial = initial;
  return changes;
}

class ConfigStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "store-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    store_ = std::make_unique<ConfigStore>(directory_);
    store_->load_applied();
    store_->set_listener([this] { ++changes_; });
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::vector<std::string> origins() const {
    std::vector<std::string> result;
    for (const ResourcePtr& resource : store_->resources())
      result.push_back(resource->name + "@" + resource->origin.file);
    return result;
  }

  std::filesystem::path directory_;
  std::unique_ptr<ConfigStore> store_;
  int changes_ = 0;
};

TEST_F(ConfigStoreTest, HoldsWhatSourcesSayAndTellsOfChanges) {
  store_->update(0, change(service_entry("a", "a.example"), true));
  EXPECT_THAT(origins(), ElementsAre("a@test.yaml"));
  EXPECT_EQ(changes_, 1);
  ChangeSet removal;
  removal.removed.push_back({"ServiceEntry", "default", "a"});
  store_->update(0, removal);
  EXPECT_THAT(origins(), IsEmpty());
}

TEST_F(ConfigStoreTest, AnEarlierSourceWins) {
  ChangeSet second = change(service_entry("a", "a.example"), true);
  store_->update(
      1,
      decode(service_entry("a", "b.example"), "second.yaml").resources.empty()
          ? ChangeSet{}
          : ChangeSet{.upserted = decode(service_entry("a", "b.example"), "second.yaml").resources,
                      .initial = true});
  store_->update(0, second);
  EXPECT_THAT(origins(), ElementsAre("a@test.yaml"));
}

TEST_F(ConfigStoreTest, AppliedResourcesComeOnTopAndSurviveARestart) {
  store_->update(0, change(service_entry("a", "a.example"), true));
  auto applied =
      store_->apply(service_entry("a", "b.example") + "---\n" + service_entry("c", "c.example"));
  ASSERT_TRUE(applied.ok);
  EXPECT_THAT(applied.names, ElementsAre("ServiceEntry default/a", "ServiceEntry default/c"));
  EXPECT_THAT(origins(), ElementsAre("a@apply", "c@apply"));
  ConfigStore again(directory_);
  again.load_applied();
  EXPECT_EQ(again.resources().size(), 2u);
}

TEST_F(ConfigStoreTest, EditingTheSourceEndsTheAppliedVersion) {
  store_->update(0, change(service_entry("a", "a.example"), true));
  store_->apply(service_entry("a", "b.example"));
  store_->update(0, change(service_entry("a", "c.example"), false));
  EXPECT_THAT(origins(), ElementsAre("a@test.yaml"));
  ConfigStore again(directory_);
  again.load_applied();
  EXPECT_THAT(again.resources(), IsEmpty());
}

TEST_F(ConfigStoreTest, NothingOfABadFileIsTaken) {
  auto applied = store_->apply(service_entry("a", "a.example") +
                               "---\nkind: VirtualService\napiVersion: "
                               "networking.istio.io/v1\nmetadata: {name: b}\nspec: {hots: [a]}\n");
  EXPECT_FALSE(applied.ok);
  ASSERT_FALSE(applied.diagnostics.empty());
  EXPECT_THAT(applied.diagnostics.front().to_string(), testing::HasSubstr("hots"));
  EXPECT_THAT(origins(), IsEmpty());
}

}  // namespace
}  // namespace sennit::mesh

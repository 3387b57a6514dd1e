#include "mesh/ca/authority.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "mesh/ca/join_token.h"

namespace sennit::mesh {
namespace {

const pki::WorkloadIdentity kReviews{"cluster.local", "default", "reviews"};

class AuthorityTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "authority-XXXXXX";
    options_.state = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(options_.state); }

  std::unique_ptr<Authority> open() {
    auto authority = Authority::open(options_);
    EXPECT_TRUE(authority.has_value()) << authority.error().message;
    return std::move(*authority);
  }
  std::string request(std::string_view id) { return *pki::make_request(key_, id); }

  AuthorityOptions options_;
  pki::Key key_ = *pki::generate_key();
};

TEST_F(AuthorityTest, KeepsItsRootOverARestart) {
  std::string first = open()->root_pem();
  EXPECT_EQ(open()->root_pem(), first);
}

TEST_F(AuthorityTest, KeepsItsKeyPrivate) {
  open();
  struct stat about {};
  ::stat((options_.state / "root-key.pem").c_str(), &about);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  ::stat(options_.state.c_str(), &about);
  EXPECT_EQ(about.st_mode & 0777, 0700u);
  ::chmod((options_.state / "root-key.pem").c_str(), 0644);
  auto again = Authority::open(options_);
  ASSERT_FALSE(again.has_value());
  EXPECT_NE(again.error().message.find("chmod 600"), std::string::npos);
}

TEST_F(AuthorityTest, IssuesWhatWasProvedAndRecordsIt) {
  auto authority = open();
  auto issued =
      authority->issue(request(kReviews.spiffe_id()), kReviews, "test", std::chrono::seconds(60));
  ASSERT_TRUE(issued.has_value()) << issued.error().message;
  ASSERT_EQ(issued->chain.size(), 2u);
  EXPECT_EQ(issued->chain.back(), authority->root_pem());
  auto leaf = pki::certificate_from_pem(issued->chain.front());
  EXPECT_EQ(pki::facts(*leaf).uri_sans.front(), kReviews.spiffe_id());
  std::ifstream record(options_.state / "issued.jsonl");
  std::string line;
  std::getline(record, line);
  EXPECT_NE(line.find(issued->serial), std::string::npos);
  EXPECT_NE(line.find(kReviews.spiffe_id()), std::string::npos);
}

TEST_F(AuthorityTest, RefusesMoreThanWasProved) {
  auto authority = open();
  auto issued = authority->issue(request("spiffe://cluster.local/ns/default/sa/admin"), kReviews,
                                 "test", std::chrono::seconds(60));
  ASSERT_FALSE(issued.has_value());
  EXPECT_NE(issued.error().message.find("sa/admin"), std::string::npos);
  pki::WorkloadIdentity foreign{"elsewhere", "default", "reviews"};
  EXPECT_FALSE(authority->issue(request(foreign.spiffe_id()), foreign, "test", {}).has_value());
}

TEST_F(AuthorityTest, BoundsTheLifetime) {
  options_.max_lifetime = std::chrono::seconds(100);
  auto authority = open();
  auto issued =
      authority->issue(request(kReviews.spiffe_id()), kReviews, "test", std::chrono::hours(1000));
  EXPECT_LE(issued->not_after, std::chrono::system_clock::now() + std::chrono::seconds(101));
}

TEST_F(AuthorityTest, ARootThatIsNotItsKeysIsRefused) {
  open();
  auto other = pki::generate_key();
  std::ofstream(options_.state / "root-key.pem") << *pki::key_to_pem(*other);
  EXPECT_FALSE(Authority::open(options_).has_value());
}

TEST_F(AuthorityTest, TheJoinTokenIsMadeOnceAndCompared) {
  auto token = load_or_create_join_token(options_.state);
  ASSERT_TRUE(token.has_value());
  EXPECT_EQ(*load_or_create_join_token(options_.state), *token);
  EXPECT_TRUE(same_secret(*token, *token));
  EXPECT_FALSE(same_secret(*token, token->substr(1) + "x"));
  EXPECT_FALSE(same_secret(*token, ""));
}

}  // namespace
}  // namespace sennit::mesh

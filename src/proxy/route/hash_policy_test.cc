#include "proxy/route/hash_policy.h"

#include "proxy/route/test_routes.h"

namespace sennit::proxy {
namespace {

class HashPolicyTest : public ::testing::Test {
 protected:
  HashPolicyTest() {
    downstream_.remote_address = *net::Address::ip("10.0.0.1", 1000);
    downstream_.local_address = *net::Address::ip("10.0.0.2", 80);
    info_.downstream = &downstream_;
  }
  std::optional<uint64_t> hash(const std::string& policies, const http::HeaderMap& request) {
    auto table =
        make_routes("routes { match { prefix: '/' } route { cluster: 'c' " + policies + "} }");
    cookie_.clear();
    return table->match(request, info_, 0)->hash(request, info_, &cookie_);
  }
  DownstreamInfo downstream_;
  StreamInfo info_;
  std::string cookie_;
};

TEST_F(HashPolicyTest, GoesByHeaderQueryCookieOrSource) {
  const std::string header = "hash_policy { header { header_name: 'x-user' } }";
  EXPECT_EQ(hash(header, make_request("a", "/", {{"x-user", "1"}})), stable_hash("1"));
  EXPECT_EQ(hash(header, make_request("a", "/")), std::nullopt);
  EXPECT_EQ(hash("hash_policy { query_parameter { name: 'q' } }", make_request("a", "/?q=z")),
            stable_hash("z"));
  EXPECT_EQ(
      hash("hash_policy { connection_properties { source_ip: true } }", make_request("a", "/")),
      stable_hash("10.0.0.1"));
  EXPECT_EQ(hash("hash_policy { cookie { name: 'sid' } }",
                 make_request("a", "/", {{"cookie", "a=b; sid=\"77\""}})),
            stable_hash("77"));
  EXPECT_EQ(hash("hash_policy { cookie { name: 'sid' } }", make_request("a", "/")), std::nullopt);
}

TEST_F(HashPolicyTest, MakesUpACookieWithATtl) {
  const auto made = hash("hash_policy { cookie { name: 'sid' ttl { seconds: 60 } path: '/p' } }",
                         make_request("a", "/"));
  ASSERT_TRUE(made);
  EXPECT_TRUE(cookie_.starts_with("sid=\"")) << cookie_;
  EXPECT_TRUE(cookie_.ends_with("\"; Max-Age=60; Path=/p; HttpOnly")) << cookie_;
  EXPECT_EQ(stable_hash(cookie_.substr(5, 16)), *made);
}

TEST_F(HashPolicyTest, StopsAtATerminalTraitThatGaveAHash) {
  const std::string terminal =
      "hash_policy { header { header_name: 'x-a' } terminal: true }"
      "hash_policy { header { header_name: 'x-b' } }";
  EXPECT_EQ(hash(terminal, make_request("a", "/", {{"x-a", "1"}, {"x-b", "2"}})), stable_hash("1"));
  EXPECT_EQ(hash(terminal, make_request("a", "/", {{"x-b", "2"}})), stable_hash("2"));
}

TEST(StableHash, IsEnvoys) {
  EXPECT_EQ(stable_hash("foo"), 3728699739546630719u);  // XXH64, seed 0
}

}  // namespace
}  // namespace sennit::proxy

#include "proxy/filter/rbac/engine.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace sennit::proxy::rbac {
namespace {

envoy::config::rbac::v3::RBAC parse(const std::string& text) {
  envoy::config::rbac::v3::RBAC config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    tls_.peer_certificate_presented = tls_.peer_certificate_validated = true;
    tls_.peer_uri_sans = {"spiffe://td/ns/shop/sa/web"};
    downstream_.tls = &tls_;
    downstream_.requested_server_name = "a.test";
    downstream_.local_address = *net::Address::ip("10.0.0.9", 8080);
    downstream_.direct_remote_address = *net::Address::ip("192.0.2.7", 1);
    downstream_.remote_address = *net::Address::ip("198.51.100.1", 1);
    headers_.add(http::HeaderId::Method, "GET");
    headers_.add(http::HeaderId::Path, "/records/1?x=/secret");
  }
  bool allowed(const std::string& permission, const std::string& principal = "any: true") {
    auto engine = Engine::create(parse("policies { key: 'p' value { permissions {" + permission +
                                       "} principals {" + principal + "} } }"));
    EXPECT_TRUE(engine) << engine.error().message;
    return (*engine)->evaluate({downstream_, &headers_}).allowed;
  }
  net::TlsInfo tls_;
  DownstreamInfo downstream_;
  http::HeaderMap headers_;
};

TEST_F(EngineTest, EvaluatesPermissions) {
  const std::pair<const char*, bool> cases[] = {
      {"any: true", true},
      {"header { name: ':method' string_match { exact: 'GET' } }", true},
      {"url_path { path { prefix: '/records/' } }", true},
      {"url_path { path { suffix: '/secret' } }", false},
      {"destination_port: 8080", true},
      {"destination_port: 80", false},
      {"destination_port_range { start: 8000 end: 8080 }", false},
      {"destination_ip { address_prefix: '10.0.0.0' prefix_len { value: 8 } }", true},
      {"requested_server_name { exact: 'a.test' }", true},
      {"not_rule { any: true }", false},
      {"and_rules { rules { any: true } rules { destination_port: 1 } }", false},
      {"or_rules { rules { any: true } rules { destination_port: 1 } }", true},
      {"metadata { filter: 'f' value { present_match: true } }", false},
  };
  for (const auto& [permission, expected] : cases)
    EXPECT_EQ(allowed(permission), expected) << permission;
}

TEST_F(EngineTest, EvaluatesPrincipals) {
  const std::pair<const char*, bool> cases[] = {
      {"authenticated {}", true},
      {"authenticated { principal_name { exact: 'spiffe://td/ns/shop/sa/web' } }", true},
      {"authenticated { principal_name { safe_regex { regex: '.*/ns/other/.*' } } }", false},
      {"direct_remote_ip { address_prefix: '192.0.2.0' prefix_len { value: 24 } }", true},
      {"source_ip { address_prefix: '192.0.2.0' prefix_len { value: 24 } }", true},
      {"remote_ip { address_prefix: '192.0.2.0' prefix_len { value: 24 } }", false},
      {"not_id { authenticated { principal_name { suffix: '/web' } } }", false},
      {"or_ids { ids { any: true } }", true},
      {"and_ids { ids { any: true } ids { header { name: 'x' } } }", false},
  };
  for (const auto& [principal, expected] : cases) {
    EXPECT_EQ(allowed("any: true", principal), expected) << principal;
  }
}

TEST_F(EngineTest, DeniesPlaintextThatClaimsNoPrincipal) {
  downstream_.tls = nullptr;
  EXPECT_FALSE(allowed("any: true", "authenticated { principal_name { prefix: '' } }"));
  EXPECT_TRUE(allowed("any: true", "not_id { authenticated { principal_name { exact: 'x' } } }"));
}

TEST_F(EngineTest, DeniesByTheFirstPolicyThatMatches) {
  auto engine =
      Engine::create(parse("action: DENY policies { key: 'my policy' value { permissions { any: "
                           "true } principals { any: true } } }"));
  const Verdict verdict = (*engine)->evaluate({downstream_, &headers_});
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(denial_details(verdict), "rbac_access_denied_matched_policy[my_policy]");
}

TEST_F(EngineTest, DeniesAllWithNoPolicyToAllow) {
  const Verdict verdict = (*Engine::create(parse("")))->evaluate({downstream_, &headers_});
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(denial_details(verdict), "rbac_access_denied_matched_policy[none]");
}

TEST_F(EngineTest, AllowsAllWithNoPolicyToDenyOrLog) {
  EXPECT_TRUE((*Engine::create(parse("action: DENY")))->evaluate({downstream_, &headers_}).allowed);
  EXPECT_TRUE((*Engine::create(parse("action: LOG")))->evaluate({downstream_, &headers_}).allowed);
}

TEST_F(EngineTest, EvaluatesConnectionsWithoutHeaders) {
  auto engine =
      Engine::create(parse("action: DENY policies { key: 'p' value { permissions { url_path { path "
                           "{ prefix: '/' } } } principals { any: true } } }"));
  EXPECT_TRUE((*engine)->evaluate({downstream_, nullptr}).allowed);
}

TEST_F(EngineTest, RefusesWhatItCannotEvaluateByItsField) {
  auto engine =
      Engine::create(parse("policies { key: 'p' value { permissions { and_rules { rules { "
                           "uri_template {} } } } principals { any: true } } }"));
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().message,
            "policies[p].permissions[0].and_rules.rules[0].uri_template: is not supported");
}

}  // namespace
}  // namespace sennit::proxy::rbac

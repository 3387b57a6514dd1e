#include <envoy/config/core/v3/base.pb.h>
#include <envoy/extensions/transport_sockets/tls/v3/secret.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/admin/admin_server.h"
#include "proxy/admin/endpoints.h"

namespace sennit::proxy {
namespace {

using ::testing::HasSubstr;

std::vector<AdminHandler> handlers() {
  const auto echo = [](const AdminRequest& request) {
    return AdminResponse{.body = request.get("q")};
  };
  return {{"/get", "reads", false, echo}, {"/change", "changes", true, echo}};
}

TEST(AdminRequest, DecodesTheQuery) {
  const auto request = parse_admin_request("GET", "/stats?usedonly&filter=a%7Cb+c&x=");
  EXPECT_EQ(request.path, "/stats");
  EXPECT_TRUE(request.has("usedonly"));
  EXPECT_EQ(request.get("filter"), "a|b c");
  EXPECT_TRUE(request.has("x"));
  EXPECT_FALSE(request.has("y"));
}

TEST(AdminDispatch, WhatChangesStateNeedsPost) {
  EXPECT_EQ(dispatch_admin(handlers(), parse_admin_request("GET", "/change")).status, 405);
  EXPECT_EQ(dispatch_admin(handlers(), parse_admin_request("POST", "/change")).status, 200);
}

TEST(AdminDispatch, AnUnknownPathIsAnsweredWithTheHelp) {
  const auto response = dispatch_admin(handlers(), parse_admin_request("GET", "/nothing"));
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.body, HasSubstr("/change (POST): changes"));
}

TEST(AdminDispatch, HandlersSeeTheQuery) {
  EXPECT_EQ(dispatch_admin(handlers(), parse_admin_request("GET", "/get?q=7")).body, "7");
}

TEST(Redact, HidesPrivateKeysInsideAny) {
  envoy::extensions::transport_sockets::tls::v3::Secret secret;
  secret.mutable_tls_certificate()->mutable_private_key()->set_inline_string("KEY");
  secret.mutable_tls_certificate()->mutable_certificate_chain()->set_inline_string("CERT");
  envoy::config::core::v3::TransportSocket outer;
  outer.mutable_typed_config()->PackFrom(secret);
  redact_secrets(outer);
  ASSERT_TRUE(outer.typed_config().UnpackTo(&secret));
  EXPECT_EQ(secret.tls_certificate().private_key().inline_string(), "[redacted]");
  EXPECT_EQ(secret.tls_certificate().certificate_chain().inline_string(), "CERT");
}

}  // namespace
}  // namespace sennit::proxy

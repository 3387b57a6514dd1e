#include <envoy/extensions/filters/http/cors/v3/cors.pb.h>

#include "proxy/filter/test_callbacks.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;

class CorsTest : public ::testing::Test {
 protected:
  CorsTest() {
    policy_.add_allow_origin_string_match()->set_exact("https://good.test");
    policy_.set_allow_methods("GET,POST");
    policy_.set_max_age("60");
    policy_.set_expose_headers("x-e");
  }
  // Runs a request and then a response (or the local reply) through the filter.
  FilterResult run(const char* method, const char* origin, const char* asked_method = nullptr) {
    stream_.set_route_config(policy_);
    filter_ = stream_.make_filter(envoy::extensions::filters::http::cors::v3::Cors());
    auto& request = stream_.request_;
    request.add(HeaderId::Method, method);
    request.add(HeaderId::Origin, origin);
    if (asked_method != nullptr) request.add(HeaderId::AccessControlRequestMethod, asked_method);
    response_.add(HeaderId::AccessControlAllowOrigin, "backend");
    const FilterResult result = filter_->on_request_headers(request, true);
    filter_->on_response_headers(response_, true);
    return result;
  }
  std::string_view response(HeaderId id) { return response_.get(id).value_or("-"); }

  envoy::extensions::filters::http::cors::v3::CorsPolicy policy_;
  TestCallbacks stream_;
  std::unique_ptr<Filter> filter_;
  http::HeaderMap response_;
};

TEST_F(CorsTest, AnswersAPreflightFromAnAllowedOrigin) {
  EXPECT_EQ(run("OPTIONS", "https://good.test", "PUT"), FilterResult::Stop);
  EXPECT_EQ(stream_.reply_status_, 200);
  EXPECT_EQ(response(HeaderId::AccessControlAllowOrigin), "https://good.test");
  EXPECT_EQ(response(HeaderId::AccessControlAllowMethods), "GET,POST");
  EXPECT_EQ(response(HeaderId::AccessControlMaxAge), "60");
  EXPECT_EQ(response(HeaderId::AccessControlAllowHeaders), "-");
}

TEST_F(CorsTest, ForwardsAPreflightFromAnotherOrigin) {
  EXPECT_EQ(run("OPTIONS", "https://bad.test", "PUT"), FilterResult::Continue);
  EXPECT_EQ(response(HeaderId::AccessControlAllowOrigin), "backend");
}

TEST_F(CorsTest, AnswersAnotherOriginsPreflightIfToldNotToForward) {
  policy_.mutable_forward_not_matching_preflights()->set_value(false);
  EXPECT_EQ(run("OPTIONS", "https://bad.test", "PUT"), FilterResult::Stop);
  EXPECT_EQ(stream_.reply_status_, 200);
  EXPECT_EQ(response(HeaderId::AccessControlAllowMethods), "GET,POST");
  EXPECT_EQ(response(HeaderId::AccessControlAllowOrigin), "backend");
}

TEST_F(CorsTest, MarksResponsesToAllowedOrigins) {
  policy_.mutable_allow_credentials()->set_value(true);
  EXPECT_EQ(run("GET", "https://good.test"), FilterResult::Continue);
  EXPECT_EQ(response(HeaderId::AccessControlAllowOrigin), "https://good.test");
  EXPECT_EQ(response(HeaderId::AccessControlAllowCredentials), "true");
  EXPECT_EQ(response(HeaderId::AccessControlExposeHeaders), "x-e");
}

TEST_F(CorsTest, EchoesWhatWasAskedForWithAStar) {
  policy_.set_allow_methods("*");
  policy_.set_allow_headers("*");
  run("OPTIONS", "https://good.test", "PUT");
  EXPECT_EQ(response(HeaderId::AccessControlAllowMethods), "PUT");
  EXPECT_EQ(response(HeaderId::AccessControlAllowHeaders), "");
}

TEST_F(CorsTest, TakesAStarForAnyOrigin) {
  policy_.mutable_allow_origin_string_match(0)->set_exact("*");
  run("GET", "https://any.test");
  EXPECT_EQ(response(HeaderId::AccessControlAllowOrigin), "https://any.test");
}

}  // namespace
}  // namespace sennit::proxy

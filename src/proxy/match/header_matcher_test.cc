#include "proxy/match/header_matcher.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace sennit::proxy {
namespace {

struct Case {
  const char* matcher;  // after name: "x-a"
  std::vector<const char*> values;
  bool expected;
};

HeaderMatcher parse(const std::string& text) {
  envoy::config::route::v3::HeaderMatcher config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("name: 'X-A' " + text, &config))
      << text;
  auto matcher = HeaderMatcher::create(config);
  EXPECT_TRUE(matcher) << matcher.error().message;
  return *matcher;
}

TEST(HeaderMatcher, MatchesByItsKind) {
  const Case cases[] = {
      {"", {"v"}, true},
      {"", {}, false},
      {"present_match: false", {}, true},
      {"present_match: false", {"v"}, false},
      {"present_match: true invert_match: true", {}, true},
      {"string_match { exact: 'a' }", {"a"}, true},
      {"string_match { exact: 'a' }", {"A"}, false},
      {"string_match { exact: 'a' ignore_case: true }", {"A"}, true},
      {"string_match { exact: 'a' }", {"b", "a"}, true},
      {"string_match { exact: 'a' } invert_match: true", {}, true},
      {"string_match { exact: 'a' } invert_match: true", {"b", "a"}, false},
      {"string_match { exact: '' } treat_missing_header_as_empty: true", {}, true},
      {"string_match { exact: '' }", {}, false},
      {"string_match { prefix: 'Ab' ignore_case: true }", {"aBc"}, true},
      {"string_match { suffix: 'bc' }", {"abc"}, true},
      {"string_match { contains: 'B' ignore_case: true }", {"abc"}, true},
      {"string_match { safe_regex { regex: 'a+' } }", {"aa"}, true},
      {"string_match { safe_regex { regex: 'a+' } }", {"aab"}, false},
      {"range_match { start: 1 end: 5 }", {"4"}, true},
      {"range_match { start: 1 end: 5 }", {"5"}, false},
      {"range_match { start: 1 end: 5 }", {"4x"}, false},
      {"exact_match: 'a'", {"a"}, true},
      {"prefix_match: 'a'", {"ab"}, true},
      {"suffix_match: 'b'", {"ab"}, true},
      {"contains_match: 'b'", {"abc"}, true},
      {"safe_regex_match { regex: 'a.c' }", {"abc"}, true},
  };
  for (const Case& test : cases) {
    http::HeaderMap headers;
    headers.add("x-other", "a");
    for (const char* value : test.values) headers.add("x-a", value);
    EXPECT_EQ(parse(test.matcher).matches(headers), test.expected)
        << test.matcher << " on " << test.values.size() << " values";
  }
}

TEST(HeaderMatcher, TakesHostForAuthority) {
  envoy::config::route::v3::HeaderMatcher config;
  config.set_name("host");
  config.mutable_string_match()->set_exact("a.test");
  http::HeaderMap headers;
  headers.add(http::HeaderId::Authority, "a.test");
  EXPECT_TRUE(HeaderMatcher::create(config)->matches(headers));
}

TEST(HeaderMatcher, RefusesABadRegexByItsField) {
  envoy::config::route::v3::HeaderMatcher config;
  config.set_name("a");
  config.mutable_string_match()->mutable_safe_regex()->set_regex("(");
  EXPECT_EQ(HeaderMatcher::create(config).error().message,
            "string_match: regex \"(\": missing ): (");
}

}  // namespace
}  // namespace sennit::proxy

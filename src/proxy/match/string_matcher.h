// envoy.type.matcher.v3.StringMatcher, compiled: exact, prefix, suffix, contains (each with or
// without case) and RE2 full match. Immutable; any thread.
#pragma once

#include <envoy/type/matcher/v3/regex.pb.h>
#include <envoy/type/matcher/v3/string.pb.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace sennit::proxy {

bool equals_ignore_case(std::string_view a, std::string_view b);
std::string to_lower(std::string_view text);

// A safe_regex; the error says what RE2 dislikes.
Result<std::shared_ptr<const re2::RE2>> compile_regex(
    const envoy::type::matcher::v3::RegexMatcher& regex);

// regex_rewrite and its like: every match of `regex` in `text` is replaced (\1 names a group).
class RegexSubstitution {
 public:
  static Result<std::shared_ptr<const RegexSubstitution>> create(
      const envoy::type::matcher::v3::RegexMatchAndSubstitute& config);
  std::string apply(std::string_view text) const;

 private:
  std::shared_ptr<const re2::RE2> regex_;
  std::string substitution_;
};

class StringMatcher {
 public:
  enum class Kind : uint8_t { Exact, Prefix, Suffix, Contains, Regex };

  static Result<StringMatcher> create(const envoy::type::matcher::v3::StringMatcher& config);
  static Result<StringMatcher> regex(const envoy::type::matcher::v3::RegexMatcher& config);
  // For all kinds but Regex.
  static StringMatcher plain(Kind kind, std::string_view pattern, bool ignore_case);

  bool matches(std::string_view value) const;
  Kind kind() const { return kind_; }
  const std::string& pattern() const { return pattern_; }

 private:
  Kind kind_ = Kind::Exact;
  bool ignore_case_ = false;
  std::string pattern_;  // lower case where ignore_case_
  std::shared_ptr<const re2::RE2> regex_;
};

}  // namespace sennit::proxy

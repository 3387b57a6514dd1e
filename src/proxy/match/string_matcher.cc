#include "proxy/match/string_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include "proxy/match/field_path.h"

namespace sennit::proxy {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

// `pattern` is lower case already.
bool contains_ignore_case(std::string_view value, std::string_view pattern) {
  return std::search(value.begin(), value.end(), pattern.begin(), pattern.end(),
                     [](char a, char b) { return lower(a) == b; }) != value.end();
}

}  // namespace

bool equals_ignore_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

Result<std::shared_ptr<const re2::RE2>> compile_regex(
    const envoy::type::matcher::v3::RegexMatcher& regex) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_shared<re2::RE2>(regex.regex(), options);
  if (!compiled->ok()) return fail("regex \"{}\": {}", regex.regex(), compiled->error());
  return compiled;
}

Result<std::shared_ptr<const RegexSubstitution>> RegexSubstitution::create(
    const envoy::type::matcher::v3::RegexMatchAndSubstitute& config) {
  auto regex = compile_regex(config.pattern());
  if (!regex) return std::unexpected(in_field(regex.error(), "pattern"));
  std::string why;
  if (!(*regex)->CheckRewriteString(config.substitution(), &why)) {
    return fail("substitution \"{}\": {}", config.substitution(), why);
  }
  auto result = std::make_shared<RegexSubstitution>();
  result->regex_ = *std::move(regex);
  result->substitution_ = config.substitution();
  return result;
}

std::string RegexSubstitution::apply(std::string_view text) const {
  std::string out(text);
  re2::RE2::GlobalReplace(&out, *regex_, substitution_);
  return out;
}

Result<StringMatcher> StringMatcher::create(const envoy::type::matcher::v3::StringMatcher& config) {
  using Config = envoy::type::matcher::v3::StringMatcher;
  switch (config.match_pattern_case()) {
    case Config::kExact:
      return plain(Kind::Exact, config.exact(), config.ignore_case());
    case Config::kPrefix:
      return plain(Kind::Prefix, config.prefix(), config.ignore_case());
    case Config::kSuffix:
      return plain(Kind::Suffix, config.suffix(), config.ignore_case());
    case Config::kContains:
      return plain(Kind::Contains, config.contains(), config.ignore_case());
    case Config::kSafeRegex:
      return regex(config.safe_regex());
    default:
      return fail("a string matcher needs exact, prefix, suffix, contains or safe_regex");
  }
}

Result<StringMatcher> StringMatcher::regex(const envoy::type::matcher::v3::RegexMatcher& config) {
  auto compiled = compile_regex(config);
  if (!compiled) return std::unexpected(compiled.error());
  StringMatcher matcher;
  matcher.kind_ = Kind::Regex;
  matcher.pattern_ = config.regex();
  matcher.regex_ = *std::move(compiled);
  return matcher;
}

StringMatcher StringMatcher::plain(Kind kind, std::string_view pattern, bool ignore_case) {
  StringMatcher matcher;
  matcher.kind_ = kind;
  matcher.ignore_case_ = ignore_case;
  matcher.pattern_ = ignore_case ? to_lower(pattern) : std::string(pattern);
  return matcher;
}

bool StringMatcher::matches(std::string_view value) const {
  switch (kind_) {
    case Kind::Exact:
      return ignore_case_ ? equals_ignore_case(value, pattern_) : value == pattern_;
    case Kind::Prefix:
      if (!ignore_case_) return value.starts_with(pattern_);
      return value.size() >= pattern_.size() &&
             equals_ignore_case(value.substr(0, pattern_.size()), pattern_);
    case Kind::Suffix:
      if (!ignore_case_) return value.ends_with(pattern_);
      return value.size() >= pattern_.size() &&
             equals_ignore_case(value.substr(value.size() - pattern_.size()), pattern_);
    case Kind::Contains:
      if (!ignore_case_) return value.find(pattern_) != std::string_view::npos;
      return contains_ignore_case(value, pattern_);
    case Kind::Regex:
      return re2::RE2::FullMatch(piece(value), *regex_);
  }
  return false;
}

}  // namespace sennit::proxy

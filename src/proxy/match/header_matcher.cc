#include "proxy/match/header_matcher.h"

#include <charconv>
#include "proxy/match/field_path.h"

namespace sennit::proxy {
namespace {

using Config = envoy::config::route::v3::HeaderMatcher;

Result<StringMatcher> make_string_matcher(const Config& config) {
  using Kind = StringMatcher::Kind;
  switch (config.header_match_specifier_case()) {
    case Config::kStringMatch: {
      auto matcher = StringMatcher::create(config.string_match());
      if (!matcher) return std::unexpected(in_field(matcher.error(), "string_match"));
      return matcher;
    }
    case Config::kSafeRegexMatch: {
      auto matcher = StringMatcher::regex(config.safe_regex_match());
      if (!matcher) return std::unexpected(in_field(matcher.error(), "safe_regex_match"));
      return matcher;
    }
    case Config::kExactMatch:
      return StringMatcher::plain(Kind::Exact, config.exact_match(), false);
    case Config::kPrefixMatch:
      return StringMatcher::plain(Kind::Prefix, config.prefix_match(), false);
    case Config::kSuffixMatch:
      return StringMatcher::plain(Kind::Suffix, config.suffix_match(), false);
    default:
      return StringMatcher::plain(Kind::Contains, config.contains_match(), false);
  }
}

}  // namespace

Result<HeaderMatcher> HeaderMatcher::create(const Config& config) {
  HeaderMatcher matcher;
  matcher.name_ = to_lower(config.name());
  if (matcher.name_.empty()) return fail("name: is required");
  matcher.id_ = http::header_id(matcher.name_);
  if (matcher.id_ == http::HeaderId::Host) matcher.id_ = http::HeaderId::Authority;
  matcher.invert_ = config.invert_match();
  matcher.missing_is_empty_ = config.treat_missing_header_as_empty();
  switch (config.header_match_specifier_case()) {
    case Config::HEADER_MATCH_SPECIFIER_NOT_SET:
      matcher.kind_ = Kind::Present;
      return matcher;
    case Config::kPresentMatch:
      matcher.kind_ = config.present_match() ? Kind::Present : Kind::Absent;
      return matcher;
    case Config::kRangeMatch:
      matcher.kind_ = Kind::Range;
      matcher.range_start_ = config.range_match().start();
      matcher.range_end_ = config.range_match().end();
      return matcher;
    default: {
      auto string = make_string_matcher(config);
      if (!string) return std::unexpected(string.error());
      matcher.kind_ = Kind::String;
      matcher.string_ = *std::move(string);
      return matcher;
    }
  }
}

bool HeaderMatcher::value_matches(std::string_view value) const {
  if (kind_ == Kind::String) return string_.matches(value);
  int64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() && number >= range_start_ &&
         number < range_end_;
}

bool HeaderMatcher::any_value_matches(const http::HeaderMap& headers) const {
  bool found = false;
  for (const auto field : headers) {
    if (id_ != http::HeaderId::None ? field.id != id_ : field.name != name_) continue;
    found = true;
    if (kind_ == Kind::Present || value_matches(field.value)) return true;
  }
  return !found && missing_is_empty_ && (kind_ == Kind::Present || value_matches(""));
}

bool HeaderMatcher::matches(const http::HeaderMap& headers) const {
  if (kind_ == Kind::Absent) {
    const bool present =
        id_ != http::HeaderId::None ? headers.has(id_) : headers.get(name_).has_value();
    return !present != invert_;
  }
  return any_value_matches(headers) != invert_;
}

Result<std::vector<HeaderMatcher>> make_header_matchers(
    const google::protobuf::RepeatedPtrField<Config>& configs, std::string_view field_name) {
  std::vector<HeaderMatcher> matchers;
  for (int i = 0; i < configs.size(); ++i) {
    auto matcher = HeaderMatcher::create(configs[i]);
    if (!matcher)
      return std::unexpected(in_field(matcher.error(), fmt::format("{}[{}]", field_name, i)));
    matchers.push_back(*std::move(matcher));
  }
  return matchers;
}

bool all_match(const std::vector<HeaderMatcher>& matchers, const http::HeaderMap& headers) {
  for (const auto& matcher : matchers) {
    if (!matcher.matches(headers)) return false;
  }
  return true;
}

}  // namespace sennit::proxy

#include "proxy/route/route_match.h"

#include "proxy/match/field_path.h"
#include "proxy/route/path.h"

namespace sennit::proxy {
namespace {

using Config = envoy::config::route::v3::RouteMatch;

bool starts_with(std::string_view text, std::string_view prefix, bool case_sensitive) {
  if (case_sensitive) return text.starts_with(prefix);
  return text.size() >= prefix.size() && equals_ignore_case(text.substr(0, prefix.size()), prefix);
}

bool is_grpc(const http::HeaderMap& headers) {
  constexpr std::string_view kGrpc = "application/grpc";
  const auto type = headers.get(http::HeaderId::ContentType);
  return type && type->starts_with(kGrpc) &&
         (type->size() == kGrpc.size() || (*type)[kGrpc.size()] == '+');
}

}  // namespace

Status RouteMatch::set_path(const Config& config) {
  case_sensitive_ = !config.has_case_sensitive() || config.case_sensitive().value();
  switch (config.path_specifier_case()) {
    case Config::kPrefix:
      path_ = config.prefix();
      return {};
    case Config::kPath:
      path_kind_ = PathKind::Exact;
      path_ = config.path();
      return {};
    case Config::kPathSeparatedPrefix:
      path_kind_ = PathKind::Separated;
      path_ = config.path_separated_prefix();
      return {};
    case Config::kConnectMatcher:
      path_kind_ = PathKind::Connect;
      return {};
    case Config::kSafeRegex: {
      auto regex = StringMatcher::regex(config.safe_regex());
      if (!regex) return std::unexpected(in_field(regex.error(), "safe_regex"));
      path_kind_ = PathKind::Regex;
      regex_ = *std::move(regex);
      return {};
    }
    default:
      return fail("needs prefix, path, safe_regex, path_separated_prefix or connect_matcher");
  }
}

Status RouteMatch::set_query(const Config& config) {
  using Query = envoy::config::route::v3::QueryParameterMatcher;
  for (int i = 0; i < config.query_parameters_size(); ++i) {
    const auto& parameter = config.query_parameters(i);
    QueryMatch match;
    match.name = parameter.name();
    if (parameter.query_parameter_match_specifier_case() == Query::kPresentMatch) {
      match.present = parameter.present_match();
    } else if (parameter.has_string_match()) {
      auto value = StringMatcher::create(parameter.string_match());
      if (!value) {
        return std::unexpected(
            in_field(value.error(), fmt::format("query_parameters[{}].string_match", i)));
      }
      match.value = *std::move(value);
    }
    query_.push_back(std::move(match));
  }
  return {};
}

Result<RouteMatch> RouteMatch::create(const Config& config) {
  RouteMatch match;
  if (auto ok = match.set_path(config); !ok) return std::unexpected(ok.error());
  if (auto ok = match.set_query(config); !ok) return std::unexpected(ok.error());
  auto headers = make_header_matchers(config.headers(), "headers");
  if (!headers) return std::unexpected(headers.error());
  match.headers_ = *std::move(headers);
  match.grpc_only_ = config.has_grpc();
  if (config.has_runtime_fraction()) {
    match.fraction_ = make_fraction(config.runtime_fraction().default_value());
  }
  if (config.tls_context().has_presented()) {
    match.tls_presented_ = config.tls_context().presented().value();
  }
  if (config.tls_context().has_validated()) {
    match.tls_validated_ = config.tls_context().validated().value();
  }
  return match;
}

bool RouteMatch::path_matches(const http::HeaderMap& headers, std::string_view path) const {
  if (path_kind_ == PathKind::Connect) return headers.method() == "CONNECT";
  if (path.empty()) return false;  // a plain CONNECT has no path
  switch (path_kind_) {
    case PathKind::Prefix:
      return starts_with(path, path_, case_sensitive_);
    case PathKind::Exact:
      return case_sensitive_ ? path == path_ : equals_ignore_case(path, path_);
    case PathKind::Separated:
      return starts_with(path, path_, case_sensitive_) &&
             (path.size() == path_.size() || path[path_.size()] == '/');
    default:
      return regex_->matches(path);
  }
}

bool RouteMatch::query_matches(std::string_view query) const {
  for (const QueryMatch& match : query_) {
    const auto value = query_parameter(query, match.name);
    if (match.value ? !(value && match.value->matches(*value))
                    : value.has_value() != match.present) {
      return false;
    }
  }
  return true;
}

bool RouteMatch::tls_matches(const StreamInfo& info) const {
  const net::TlsInfo* tls = info.downstream != nullptr ? info.downstream->tls : nullptr;
  const bool presented = tls != nullptr && tls->peer_certificate_presented;
  const bool validated = tls != nullptr && tls->peer_certificate_validated;
  return tls_presented_.value_or(presented) == presented &&
         tls_validated_.value_or(validated) == validated;
}

bool RouteMatch::matches(const http::HeaderMap& headers, std::string_view path,
                         std::string_view query, const StreamInfo& info, uint64_t random) const {
  if (!path_matches(headers, path)) return false;
  if (grpc_only_ && !is_grpc(headers)) return false;
  if (!headers_.empty() && !all_match(headers_, headers)) return false;
  if (!query_.empty() && !query_matches(query)) return false;
  if ((tls_presented_ || tls_validated_) && !tls_matches(info)) return false;
  return !fraction_ || fraction_->hit(random);
}

size_t RouteMatch::rewritten_length() const {
  const bool by_prefix = path_kind_ == PathKind::Prefix || path_kind_ == PathKind::Separated;
  return by_prefix ? path_.size() : SIZE_MAX;
}

}  // namespace sennit::proxy

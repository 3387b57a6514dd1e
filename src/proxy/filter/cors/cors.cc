// envoy.filters.http.cors: answers preflights and marks responses for the origins that the route's
// policy allows. As Envoy: a preflight from an origin that is not allowed is forwarded unless
// forward_not_matching_preflights is false, when it is answered without an allow-origin; an origin
// of the backend's own is replaced only where ours matches; "*" for methods and headers echoes
// what the preflight asked for.
#include <envoy/extensions/filters/http/cors/v3/cors.pb.h>

#include "proxy/filter/filter_types.h"
#include "proxy/filter/typed_config.h"
#include "proxy/match/field_path.h"
#include "proxy/match/fraction.h"
#include "proxy/match/string_matcher.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;
using Config = envoy::extensions::filters::http::cors::v3::CorsPolicy;

struct CorsPolicy {
  std::vector<StringMatcher> origins;
  std::string methods, headers, expose, max_age;
  bool credentials = false;
  bool forward_unmatched = true;
  Fraction enabled;

  bool allows(std::string_view origin) const {
    for (const auto& matcher : origins) {
      if (matcher.matches(origin)) return true;
      // exact: "*" is any origin.
      if (matcher.kind() == StringMatcher::Kind::Exact && matcher.pattern() == "*") return true;
    }
    return false;
  }
};

struct CorsCounters {
  stats::CounterId valid, invalid;
};

class CorsFilter final : public Filter {
 public:
  CorsFilter(const CorsCounters& counters, FilterCallbacks& callbacks)
      : counters_(counters), callbacks_(callbacks) {}

  FilterResult on_request_headers(http::HeaderMap& request, bool) override {
    const auto origin = request.get(HeaderId::Origin);
    if (!origin || origin->empty()) return FilterResult::Continue;
    const auto* policy = static_cast<const CorsPolicy*>(callbacks_.route_config());
    if (policy == nullptr || !policy->enabled.hit(callbacks_.random()))
      return FilterResult::Continue;
    const bool allowed = policy->allows(*origin);
    callbacks_.stats().inc(allowed ? counters_.valid : counters_.invalid);
    const auto method = request.get(HeaderId::AccessControlRequestMethod);
    const bool preflight = request.method() == "OPTIONS" && method && !method->empty();
    if (!allowed && (!preflight || policy->forward_unmatched)) return FilterResult::Continue;
    policy_ = policy;
    allowed_ = allowed;
    preflight_ = preflight;
    origin_ = *origin;
    if (!preflight) return FilterResult::Continue;
    // The answer gets its fields in on_response_headers, as every response does.
    callbacks_.send_local_reply(200, "", "cors_response");
    return FilterResult::Stop;
  }

  void on_response_headers(http::HeaderMap& response, bool) override {
    if (policy_ == nullptr) return;
    if (allowed_) response.set(HeaderId::AccessControlAllowOrigin, origin_);
    if (policy_->credentials) response.set(HeaderId::AccessControlAllowCredentials, "true");
    if (preflight_) {
      mark_preflight(response);
    } else if (!policy_->expose.empty()) {
      response.set(HeaderId::AccessControlExposeHeaders, policy_->expose);
    }
  }

 private:
  void mark_preflight(http::HeaderMap& response) {
    const http::HeaderMap& request = callbacks_.request_headers();
    const auto echo = [&](const std::string& allowed, HeaderId asked) {
      return allowed == "*" ? request.get(asked).value_or("") : std::string_view(allowed);
    };
    if (!policy_->methods.empty()) {
      response.set(HeaderId::AccessControlAllowMethods,
                   echo(policy_->methods, HeaderId::AccessControlRequestMethod));
    }
    if (!policy_->headers.empty()) {
      response.set(HeaderId::AccessControlAllowHeaders,
                   echo(policy_->headers, HeaderId::AccessControlRequestHeaders));
    }
    if (!policy_->max_age.empty()) response.set(HeaderId::AccessControlMaxAge, policy_->max_age);
  }

  const CorsCounters& counters_;
  FilterCallbacks& callbacks_;
  const CorsPolicy* policy_ = nullptr;  // set where the response is to be marked
  bool allowed_ = false, preflight_ = false;
  std::string origin_;
};

class CorsFactory final : public FilterFactory {
 public:
  explicit CorsFactory(const FilterBuildContext& context) {
    const auto counter = [&](const char* name) {
      return context.stats.counter(
          {fmt::format("http.{}.cors.{}", context.stat_prefix, name),
           fmt::format("envoy_http_cors_{}", name),
           {{"envoy_http_conn_manager_prefix", std::string(context.stat_prefix)}}});
    };
    counters_ = {counter("origin_valid"), counter("origin_invalid")};
  }
  uint32_t hooks() const override { return kRequestHeaders | kResponseHeaders; }
  std::unique_ptr<Filter> create(FilterCallbacks& callbacks) const override {
    return std::make_unique<CorsFilter>(counters_, callbacks);
  }

 private:
  CorsCounters counters_;
};

Result<std::unique_ptr<FilterFactory>> create(const google::protobuf::Any& any,
                                              const FilterBuildContext& context) {
  auto config = unpack_config<envoy::extensions::filters::http::cors::v3::Cors>(any);
  if (!config) return std::unexpected(config.error());
  return std::make_unique<CorsFactory>(context);
}

Result<std::shared_ptr<const void>> create_policy(const google::protobuf::Any& any) {
  static const SupportedFields supported = {
      {"envoy.extensions.filters.http.cors.v3.CorsPolicy",
       {"allow_origin_string_match", "allow_methods", "allow_headers", "expose_headers", "max_age",
        "allow_credentials", "filter_enabled", "forward_not_matching_preflights"}}};
  auto config = unpack_config<Config>(any, supported);
  if (!config) return std::unexpected(config.error());
  auto policy = std::make_shared<CorsPolicy>();
  for (int i = 0; i < config->allow_origin_string_match_size(); ++i) {
    auto matcher = StringMatcher::create(config->allow_origin_string_match(i));
    if (!matcher) {
      return std::unexpected(
          in_field(matcher.error(), fmt::format("allow_origin_string_match[{}]", i)));
    }
    policy->origins.push_back(*std::move(matcher));
  }
  policy->methods = config->allow_methods();
  policy->headers = config->allow_headers();
  policy->expose = config->expose_headers();
  policy->max_age = config->max_age();
  policy->credentials = config->allow_credentials().value();
  if (config->has_forward_not_matching_preflights()) {
    policy->forward_unmatched = config->forward_not_matching_preflights().value();
  }
  if (config->has_filter_enabled()) {
    policy->enabled = make_fraction(config->filter_enabled().default_value());
  }
  return policy;
}

}  // namespace

FilterType cors_filter_type() {
  return {"type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors", create, create_policy,
          "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy"};
}

}  // namespace sennit::proxy

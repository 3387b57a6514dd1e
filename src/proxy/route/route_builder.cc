#include "proxy/route/route_builder.h"

#include <algorithm>

#include "proxy/match/field_path.h"
#include "proxy/match/fraction.h"
#include "proxy/route/route_action_builder.h"

namespace sennit::proxy {
namespace {

namespace route_v3 = envoy::config::route::v3;

Result<RedirectAction> make_redirect(const route_v3::RedirectAction& config,
                                     const RouteMatch& match) {
  static constexpr int kStatus[] = {301, 302, 303, 307, 308};
  RedirectAction redirect;
  if (config.response_code() < 0 ||
      config.response_code() >= static_cast<int>(std::size(kStatus))) {
    return fail("response_code: {} is not known", static_cast<int>(config.response_code()));
  }
  redirect.status = kStatus[config.response_code()];
  redirect.https = config.https_redirect();
  redirect.scheme = config.scheme_redirect();
  redirect.host = config.host_redirect();
  if (config.port_redirect() > 65535)
    return fail("port_redirect: {} is out of range", config.port_redirect());
  if (config.port_redirect() != 0) redirect.port = config.port_redirect();
  redirect.path = config.path_redirect();
  redirect.prefix_rewrite = config.prefix_rewrite();
  redirect.matched_prefix_length = match.rewritten_length();
  redirect.strip_query = config.strip_query();
  if (config.has_regex_rewrite()) {
    auto rewrite = RegexSubstitution::create(config.regex_rewrite());
    if (!rewrite) return std::unexpected(in_field(rewrite.error(), "regex_rewrite"));
    redirect.regex_rewrite = *std::move(rewrite);
  }
  return redirect;
}

Result<DirectResponseAction> make_direct_response(const route_v3::DirectResponseAction& config,
                                                  uint32_t max_body) {
  using Source = envoy::config::core::v3::DataSource;
  if (config.status() < 200 || config.status() > 599) {
    return fail("status: {} is not within 200 and 599", config.status());
  }
  DirectResponseAction action;
  action.status = static_cast<int>(config.status());
  switch (config.body().specifier_case()) {
    case Source::kInlineString:
      action.body = config.body().inline_string();
      break;
    case Source::kInlineBytes:
      action.body = config.body().inline_bytes();
      break;
    case Source::SPECIFIER_NOT_SET:
      break;
    default:
      return fail("body: only inline_string and inline_bytes are supported");
  }
  if (action.body.size() > max_body) {
    return fail("body: {} bytes are more than max_direct_response_body_size_bytes ({})",
                action.body.size(), max_body);
  }
  return action;
}

Status set_action(Route& route, Route::Impl& impl, const route_v3::Route& config,
                  const RouteParents& parents) {
  switch (config.action_case()) {
    case route_v3::Route::kRoute: {
      auto ok = set_route_action(route, impl, config.route(), parents);
      return ok ? ok : std::unexpected(in_field(ok.error(), "route"));
    }
    case route_v3::Route::kRedirect: {
      auto redirect = make_redirect(config.redirect(), impl.match);
      if (!redirect) return std::unexpected(in_field(redirect.error(), "redirect"));
      route.redirect = *std::move(redirect);
      return {};
    }
    case route_v3::Route::kDirectResponse: {
      auto response =
          make_direct_response(config.direct_response(), parents.max_direct_response_body_size);
      if (!response) return std::unexpected(in_field(response.error(), "direct_response"));
      route.direct_response = *std::move(response);
      return {};
    }
    case route_v3::Route::kNonForwardingAction:
      return {};
    default:
      return fail("needs route, redirect, direct_response or non_forwarding_action");
  }
}

}  // namespace

Result<std::vector<MirrorPolicy>> make_mirrors(
    const google::protobuf::RepeatedPtrField<route_v3::RouteAction::RequestMirrorPolicy>& configs) {
  std::vector<MirrorPolicy> mirrors;
  for (int i = 0; i < configs.size(); ++i) {
    const auto& config = configs[i];
    if (config.cluster().empty())
      return fail("request_mirror_policies[{}].cluster: is required", i);
    MirrorPolicy mirror;
    mirror.cluster = config.cluster();
    mirror.disable_host_suffix = config.disable_shadow_host_suffix_append();
    if (config.has_trace_sampled()) mirror.trace_sampled = config.trace_sampled().value();
    if (config.has_runtime_fraction()) {
      const Fraction fraction = make_fraction(config.runtime_fraction().default_value());
      mirror.numerator = fraction.numerator;
      mirror.denominator = fraction.denominator;
    }
    mirrors.push_back(std::move(mirror));
  }
  return mirrors;
}

Result<std::shared_ptr<const Route>> build_route(const route_v3::Route& config,
                                                 const RouteParents& parents) {
  auto route = std::make_shared<Route>();
  auto impl = std::make_shared<Route::Impl>();
  route->name = config.name();
  route->virtual_host = parents.virtual_host;
  route->include_attempt_count = parents.include_attempt_count;
  route->include_attempt_count_in_response = parents.include_attempt_count_in_response;
  route->operation = config.decorator().operation();
  if (config.has_per_request_buffer_limit_bytes()) {
    route->retry_shadow_buffer_limit = config.per_request_buffer_limit_bytes().value();
  }
  auto match = RouteMatch::create(config.match());
  if (!match) return std::unexpected(in_field(match.error(), "match"));
  impl->match = *std::move(match);
  auto level = make_header_level(config);
  if (!level) return std::unexpected(level.error());
  impl->levels[0] = *std::move(level);
  impl->levels[1] = parents.host_level;
  impl->levels[2] = parents.table_level;
  impl->most_specific_wins = parents.most_specific_wins;
  auto filters = make_filter_configs(config.typed_per_filter_config(), parents.parse);
  if (!filters) return std::unexpected(filters.error());
  impl->filter_configs = merge_filter_configs(*std::move(filters), parents.filter_configs);
  if (auto ok = set_action(*route, *impl, config, parents); !ok) return std::unexpected(ok.error());
  route->impl = std::move(impl);
  return route;
}

}  // namespace sennit::proxy

#include <algorithm>

#include "mesh/translate/route_context.h"

namespace sennit::mesh {

namespace {

using Matches = std::map<std::string, api::StringMatch>;

bool is_set(const api::StringMatch& match) {
  return match.match_type_case() != api::StringMatch::MATCH_TYPE_NOT_SET;
}

void set_string(const api::StringMatch& from, envoy::type::matcher::v3::StringMatcher& to) {
  if (from.has_exact()) to.set_exact(from.exact());
  if (from.has_prefix()) to.set_prefix(from.prefix());
  if (from.has_regex()) to.mutable_safe_regex()->set_regex(from.regex());
}

void add_header(const std::string& name, const api::StringMatch& match, route_v3::RouteMatch& out) {
  auto* header = out.add_headers();
  header->set_name(name);
  // No match at all, and the regex "*" that users write for "anything", ask for presence.
  if (!is_set(match) || (match.has_regex() && match.regex() == "*")) {
    header->set_present_match(true);
  } else {
    set_string(match, *header->mutable_string_match());
  }
}

void set_path(const api::HTTPMatchRequest& match, route_v3::RouteMatch& out) {
  const auto& uri = match.uri();
  if (uri.has_exact()) {
    out.set_path(uri.exact());
  } else if (uri.has_regex()) {
    out.mutable_safe_regex()->set_regex(uri.regex());
  } else {
    out.set_prefix(uri.has_prefix() ? uri.prefix() : "/");
  }
}

}  // namespace

route_v3::RouteMatch make_match(const api::HTTPMatchRequest* match) {
  route_v3::RouteMatch out;
  if (match == nullptr) {
    out.set_prefix("/");
    return out;
  }
  set_path(*match, out);
  out.mutable_case_sensitive()->set_value(!match->ignore_uri_case());
  for (const auto& [name, value] : Matches(match->headers().begin(), match->headers().end())) {
    add_header(name, value, out);
  }
  for (const auto& [name, value] :
       Matches(match->without_headers().begin(), match->without_headers().end())) {
    add_header(name, value, out);
    auto* header = out.mutable_headers(out.headers_size() - 1);
    header->set_invert_match(true);
    if (!header->present_match()) header->set_treat_missing_header_as_empty(true);
  }
  if (is_set(match->method())) add_header(":method", match->method(), out);
  if (is_set(match->authority())) add_header(":authority", match->authority(), out);
  if (is_set(match->scheme())) add_header(":scheme", match->scheme(), out);
  for (const auto& [name, value] :
       Matches(match->query_params().begin(), match->query_params().end())) {
    auto* parameter = out.add_query_parameters();
    parameter->set_name(name);
    if (is_set(value)) {
      set_string(value, *parameter->mutable_string_match());
    } else {
      parameter->set_present_match(true);
    }
  }
  return out;
}

bool applies(const api::HTTPMatchRequest& match, const RouteContext& context) {
  if (match.port() != 0 && context.port != 0 && match.port() != context.port) return false;
  if (!match.gateways().empty()) {
    return std::ranges::find(match.gateways(), context.gateway) != match.gateways().end();
  }
  // A source is known only where it is the proxy's own workload.
  const auto& labels = match.source_labels();
  return selects({labels.begin(), labels.end()}, context.proxy.labels) &&
         (match.source_namespace().empty() || match.source_namespace() == context.proxy.namespace_);
}

bool takes_everything(const route_v3::Route& route) {
  const auto& match = route.match();
  if (match.headers_size() > 0 || match.query_parameters_size() > 0) return false;
  if (match.has_safe_regex()) {
    return match.safe_regex().regex() == "*" || match.safe_regex().regex() == ".*";
  }
  return match.prefix() == "/";
}

}  // namespace sennit::mesh

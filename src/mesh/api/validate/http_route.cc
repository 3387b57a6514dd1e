#include "mesh/api/validate/http_route.h"

#include <algorithm>

#include "mesh/api/metadata.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

constexpr size_t kMaxDirectBody = 1024 * 1024;   // Envoy's bound on direct responses, by Istio
constexpr size_t kLargeDirectBody = 100 * 1024;  // Istio warns from here

void check_match(Checker& checker, const std::string& field, const api::HTTPMatchRequest& match) {
  const std::pair<std::string_view, const api::StringMatch*> matches[] = {
      {"uri", &match.uri()},
      {"scheme", &match.scheme()},
      {"method", &match.method()},
      {"authority", &match.authority()}};
  for (const auto& [name, value] : matches) check_string_match(checker, below(field, name), *value);
  const std::pair<std::string_view, const google::protobuf::Map<std::string, api::StringMatch>*>
      maps[] = {{"headers", &match.headers()}, {"withoutHeaders", &match.without_headers()}};
  for (const auto& [name, headers] : maps)
    for (const auto& [key, value] : *headers) {
      const std::string path = keyed(below(field, name), key);
      const std::string_view bare = std::string_view(key).substr(key.starts_with(':') ? 1 : 0);
      if (!is_header_name(bare)) checker.error(path, "\"{}\" is no header name", key);
      check_string_match(checker, path, value);
    }
  for (const auto& [key, value] : match.query_params())
    check_string_match(checker, keyed(below(field, "queryParams"), key), value);
  if (checker.written(below(field, "port")))
    check_port(checker, below(field, "port"), match.port());
  check_labels(checker, below(field, "sourceLabels"), match.source_labels());
}

void check_conflicts(Checker& checker, const std::string& field, const api::HTTPRoute& route) {
  const std::pair<std::string_view, bool> actions[] = {
      {"route", route.route_size() > 0},
      {"redirect", route.has_redirect()},
      {"directResponse", route.has_direct_response()},
      {"delegate", route.has_delegate()}};
  std::string_view first;
  for (const auto& [name, set] : actions) {
    if (!set) continue;
    if (!first.empty())
      checker.error(below(field, name), "cannot stand beside \"{}\"; choose one", first);
    first = name;
  }
  if (first.empty())
    checker.error(field,
                  "needs one of \"route\", \"redirect\", \"directResponse\" and \"delegate\"");
  if (first == "redirect" || first == "directResponse") {
    if (route.has_rewrite())
      checker.error(below(field, "rewrite"), "has no effect beside \"{}\"; remove one", first);
    if (route.has_fault())
      checker.error(below(field, "fault"), "has no effect beside \"{}\"; remove one", first);
  }
  if (route.has_mirror() && route.mirrors_size() > 0)
    checker.error(below(field, "mirror"), "cannot stand beside \"mirrors\"; move it into the list");
}

void check_redirect(Checker& checker, const std::string& field, const api::HTTPRedirect& redirect) {
  if (redirect.uri().empty() && redirect.authority().empty() && redirect.scheme().empty() &&
      redirect.prefix_rewrite().empty() &&
      redirect.redirect_port_case() == api::HTTPRedirect::REDIRECT_PORT_NOT_SET)
    checker.error(field, "says not whereto; write \"uri\", \"authority\", \"scheme\" or \"port\"");
  if (!redirect.uri().empty() && !redirect.prefix_rewrite().empty())
    checker.error(below(field, "prefixRewrite"), "cannot stand beside \"uri\"; choose one");
  const uint32_t code = redirect.redirect_code();
  if (checker.written(below(field, "redirectCode")) && (code < 300 || code > 399))
    checker.error(below(field, "redirectCode"),
                  "{} is no redirect; write 301, 302, 303, 307 or 308", code);
  if (!redirect.scheme().empty() && redirect.scheme() != "http" && redirect.scheme() != "https")
    checker.error(below(field, "scheme"), "\"{}\" must be http or https", redirect.scheme());
  if (redirect.has_port()) check_port(checker, below(field, "port"), redirect.port());
}

void check_direct_response(Checker& checker, const std::string& field,
                           const api::HTTPDirectResponse& response) {
  if (response.status() < 200 || response.status() > 599)
    checker.error(below(field, "status"), "{} is no status; write 200 to 599", response.status());
  const size_t size = response.body().has_string() ? response.body().string().size()
                                                   : response.body().bytes().size();
  if (size > kMaxDirectBody)
    checker.error(below(field, "body"), "has {} bytes; at most {} go into a configuration", size,
                  kMaxDirectBody);
  else if (size > kLargeDirectBody)
    checker.warning(below(field, "body"),
                    "has {} bytes, which every proxy gets; serve it from a "
                    "backend",
                    size);
}

void check_rewrite(Checker& checker, const std::string& field, const api::HTTPRewrite& rewrite) {
  if (rewrite.uri().empty() && rewrite.authority().empty() && !rewrite.has_uri_regex_rewrite())
    checker.error(field, "says not into what; write \"uri\", \"authority\" or \"uriRegexRewrite\"");
  if (!rewrite.has_uri_regex_rewrite()) return;
  const std::string path = below(field, "uriRegexRewrite");
  if (!rewrite.uri().empty()) checker.error(path, "cannot stand beside \"uri\"; choose one");
  const auto& regex = rewrite.uri_regex_rewrite();
  if (regex.match().empty() || regex.rewrite().empty())
    checker.error(path, "needs both \"match\" and \"rewrite\"");
  check_regex(checker, below(path, "match"), regex.match());
}

void check_mirrors(Checker& checker, const std::string& field, const api::HTTPRoute& route) {
  if (route.has_mirror()) check_destination(checker, below(field, "mirror"), route.mirror());
  if (route.has_mirror_percent())
    check_percent(checker, below(field, "mirrorPercent"), route.mirror_percent());
  if (route.has_mirror_percentage())
    check_percent(checker, below(field, "mirrorPercentage.value"),
                  route.mirror_percentage().value());
  for (int i = 0; i < route.mirrors_size(); ++i) {
    const std::string path = at(below(field, "mirrors"), i);
    if (!route.mirrors(i).has_destination())
      checker.error(path, "needs a \"destination\"");
    else
      check_destination(checker, below(path, "destination"), route.mirrors(i).destination());
    check_percent(checker, below(path, "percentage.value"), route.mirrors(i).percentage().value());
  }
}

}  // namespace

void check_http_route(Checker& checker, const std::string& field, const api::HTTPRoute& route,
                      bool delegate) {
  for (int i = 0; i < route.match_size(); ++i)
    check_match(checker, at(below(field, "match"), i), route.match(i));
  check_conflicts(checker, field, route);
  if (delegate && route.has_delegate())
    checker.error(below(field, "delegate"), "a delegate cannot delegate again");
  if (route.has_delegate() && route.delegate().name().empty())
    checker.error(below(field, "delegate.name"), "is missing");
  if (route.has_redirect()) check_redirect(checker, below(field, "redirect"), route.redirect());
  if (route.has_direct_response())
    check_direct_response(checker, below(field, "directResponse"), route.direct_response());
  if (route.has_rewrite()) check_rewrite(checker, below(field, "rewrite"), route.rewrite());
  if (route.has_fault()) check_fault(checker, below(field, "fault"), route.fault());
  if (route.has_cors_policy()) check_cors(checker, below(field, "corsPolicy"), route.cors_policy());
  if (route.has_retries()) check_retries(checker, below(field, "retries"), route.retries());
  // 0s is Istio's way to say "no timeout".
  if (route.has_timeout() && (route.timeout().seconds() != 0 || route.timeout().nanos() != 0))
    check_duration(checker, below(field, "timeout"), route.timeout());
  check_mirrors(checker, field, route);
  check_header_operations(checker, below(field, "headers"), route.headers());
  check_weights(checker, below(field, "route"), route.route());
  for (int i = 0; i < route.route_size(); ++i)
    check_header_operations(checker, below(at(below(field, "route"), i), "headers"),
                            route.route(i).headers());
}

void check_destination(Checker& checker, const std::string& field,
                       const api::Destination& destination) {
  const std::string& host = destination.host();
  if (host.empty()) {
    checker.error(field, "needs a \"host\"");
  } else if (host == "*" || (!is_wildcard_domain(host) && !is_ip_address(host))) {
    checker.error(below(field, "host"), "\"{}\" is no destination; write a service's name", host);
  }
  if (!destination.subset().empty() && !is_dns_label(destination.subset()))
    checker.error(below(field, "subset"), "\"{}\" is no subset's name", destination.subset());
  if (destination.has_port())
    check_port(checker, below(field, "port.number"), destination.port().number());
}

}  // namespace sennit::mesh

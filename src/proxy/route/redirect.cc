// Where a redirect sends a client.
#include <algorithm>

#include "proxy/match/string_matcher.h"
#include "proxy/route/path.h"
#include "proxy/route/route_table.h"

namespace sennit::proxy {
namespace {

std::string_view request_scheme(const http::HeaderMap& request) {
  const auto forwarded = request.get(http::HeaderId::XForwardedProto);
  if (forwarded) return *forwarded;
  return request.scheme().empty() ? std::string_view("http") : request.scheme();
}

bool is_default_port(std::string_view scheme, std::string_view port) {
  return (scheme == "http" && port == ":80") || (scheme == "https" && port == ":443");
}

// The request's host; its port is dropped where another takes its place, or where the scheme
// changes and it was the old scheme's default.
std::string_view kept_host(std::string_view host, std::string_view old_scheme,
                           std::string_view new_scheme, bool port_replaced) {
  const size_t port = port_start(host);
  if (port == std::string_view::npos) return host;
  const bool drop =
      port_replaced || (old_scheme != new_scheme && is_default_port(old_scheme, host.substr(port)));
  return drop ? host.substr(0, port) : host;
}

std::string with_query(std::string path, std::string_view query, bool strip) {
  if (!strip) path += query;
  return path;
}

std::string redirected_path(const RedirectAction& redirect, std::string_view full) {
  const PathParts parts = split_path(full);
  if (!redirect.path.empty()) {
    const bool own_query = redirect.path.find('?') != std::string::npos;
    return with_query(redirect.path, parts.query, redirect.strip_query || own_query);
  }
  if (!redirect.prefix_rewrite.empty()) {
    const size_t cut = std::min(redirect.matched_prefix_length, parts.path.size());
    return with_query(redirect.prefix_rewrite + std::string(parts.path.substr(cut)), parts.query,
                      redirect.strip_query);
  }
  if (redirect.regex_rewrite) {
    return with_query(redirect.regex_rewrite->apply(parts.path), parts.query, redirect.strip_query);
  }
  return with_query(std::string(parts.path), parts.query, redirect.strip_query);
}

}  // namespace

std::string RedirectAction::location(const http::HeaderMap& request) const {
  const std::string_view old_scheme = request_scheme(request);
  const std::string_view new_scheme = https ? "https" : !scheme.empty() ? scheme : old_scheme;
  const std::string new_port = port ? fmt::format(":{}", *port) : "";
  std::string_view new_host = host;
  if (host.empty()) {
    new_host = keep_port ? request.authority()
                         : kept_host(request.authority(), old_scheme, new_scheme, port.has_value());
  }
  return fmt::format("{}://{}{}{}", new_scheme, new_host, new_port,
                     redirected_path(*this, request.path()));
}

}  // namespace sennit::proxy

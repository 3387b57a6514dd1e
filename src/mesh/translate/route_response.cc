#include "mesh/translate/route_context.h"

namespace sennit::mesh {

void set_redirect(const api::HTTPRedirect& redirect, uint32_t port, route_v3::RedirectAction& out) {
  constexpr uint32_t kHttpPort = 80, kHttpsPort = 443;
  out.set_host_redirect(redirect.authority());
  if (!redirect.prefix_rewrite().empty()) {
    out.set_prefix_rewrite(redirect.prefix_rewrite());
  } else if (!redirect.uri().empty()) {
    out.set_path_redirect(redirect.uri());
  }
  if (!redirect.scheme().empty()) out.set_scheme_redirect(redirect.scheme());
  if (redirect.redirect_port_case() == api::HTTPRedirect::kPort) {
    out.set_port_redirect(redirect.port());
  } else if (redirect.redirect_port_case() == api::HTTPRedirect::kDerivePort &&
             redirect.derive_port() == api::HTTPRedirect::FROM_REQUEST_PORT) {
    out.set_port_redirect(port);
    // The scheme's own port is not written out.
    bool usual = (port == kHttpPort && redirect.scheme() != "https") ||
                 (port == kHttpsPort && redirect.scheme() == "https");
    if (usual) out.set_port_redirect(0);
  }
  switch (redirect.redirect_code()) {
    case 302:
      out.set_response_code(route_v3::RedirectAction::FOUND);
      break;
    case 303:
      out.set_response_code(route_v3::RedirectAction::SEE_OTHER);
      break;
    case 307:
      out.set_response_code(route_v3::RedirectAction::TEMPORARY_REDIRECT);
      break;
    case 308:
      out.set_response_code(route_v3::RedirectAction::PERMANENT_REDIRECT);
      break;
    default:
      out.set_response_code(route_v3::RedirectAction::MOVED_PERMANENTLY);
  }
}

void set_direct_response(const api::HTTPDirectResponse& response,
                         route_v3::DirectResponseAction& out) {
  out.set_status(response.status());
  if (response.body().has_string()) out.mutable_body()->set_inline_string(response.body().string());
  if (response.body().has_bytes()) out.mutable_body()->set_inline_bytes(response.body().bytes());
}

}  // namespace sennit::mesh

#include "proxy/stream/request_head.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

#include "proxy/stream/details.h"
#include "proxy/stream/path_normalization.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;
using http::HeaderMap;

bool equals_ignore_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls `visit` with each element of a comma-separated list until it returns false.
template <typename Visit>
void for_each_element(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty() && !visit(element)) return;
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

bool list_contains(std::string_view list, std::string_view word) {
  bool found = false;
  for_each_element(list, [&](std::string_view element) {
    found = equals_ignore_case(element, word);
    return !found;
  });
  return found;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return lower;
}

// What the request wants to become. The codec shows HTTP/2's extended CONNECT (RFC 8441) in
// HTTP/1's form.
std::string find_upgrade(const HeaderMap& request) {
  if (request.method() == "CONNECT") return "connect";
  const auto upgrade = request.get(HeaderId::Upgrade);
  if (!upgrade) return {};
  const auto connection = request.get(HeaderId::Connection);
  if (!connection || !list_contains(*connection, "upgrade")) return {};
  return lower_case(*upgrade);
}

void normalize_host(const HcmSettings& settings, uint16_t local_port, HeaderMap& request) {
  const std::string_view host = request.authority();
  std::string_view name = host;
  std::string_view port;
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    name = host.substr(0, colon);
    port = host.substr(colon);
  }
  if (!port.empty() && (settings.strip_port == StripPort::Any ||
                        port.substr(1) == std::string_view(fmt::format_int(local_port).c_str()))) {
    port = {};
  }
  if (settings.strip_trailing_host_dot && name.ends_with('.')) name.remove_suffix(1);
  if (name.size() + port.size() == host.size()) return;
  const std::string normal = std::string(name) + std::string(port);
  request.set(HeaderId::Authority, normal);
}

std::optional<HeadRefusal> handle_underscores(UnderscoreHeaders action, HeaderMap& request) {
  const auto has_underscore = [](const HeaderMap::Field& field) {
    return field.id == HeaderId::None && field.name.find('_') != std::string_view::npos;
  };
  if (action == UnderscoreHeaders::Drop) {
    request.remove_if(has_underscore);
    return std::nullopt;
  }
  for (const auto field : request) {
    if (has_underscore(field)) return HeadRefusal{400, details::kUnderscoreHeader, {}};
  }
  return std::nullopt;
}

std::optional<HeadRefusal> check_path(const HcmSettings& settings, HeaderMap& request,
                                      bool is_connect) {
  const std::string_view path = request.path();
  if (path.empty()) {
    if (is_connect) return std::nullopt;
    return HeadRefusal{404, details::kMissingPath, {}};
  }
  if (path.front() != '/') {
    if (is_connect) return std::nullopt;
    return HeadRefusal{404, details::kAbsolutePath, {}};
  }
  std::string normal;
  switch (normalize_path(path, settings, normal)) {
    case PathVerdict::Unchanged:
      return std::nullopt;
    case PathVerdict::Changed:
      request.set(HeaderId::Path, normal);
      return std::nullopt;
    case PathVerdict::Redirect:
      return HeadRefusal{307, details::kPathNormalization, std::move(normal)};
    case PathVerdict::Reject:
      break;
  }
  return HeadRefusal{400, details::kPathNormalization, {}};
}

}  // namespace

std::optional<HeadRefusal> check_head(const HcmSettings& settings, HeaderMap& request,
                                      const DownstreamInfo& downstream, RequestHead& head) {
  head.is_head = request.method() == "HEAD";
  head.upgrade = find_upgrade(request);
  remove_hop_by_hop(request, head.upgrade);
  if (request.authority().empty()) return HeadRefusal{400, details::kMissingHost, {}};
  if (settings.underscore_headers != UnderscoreHeaders::Allow) {
    if (auto refusal = handle_underscores(settings.underscore_headers, request)) return refusal;
  }
  if (auto refusal = check_path(settings, request, head.upgrade == "connect")) return refusal;
  if (settings.strip_port != StripPort::None || settings.strip_trailing_host_dot) {
    normalize_host(settings, downstream.local_address.port(), request);
  }
  return std::nullopt;
}

void remove_hop_by_hop(HeaderMap& headers, std::string_view upgrade) {
  const auto any = [&headers](auto... ids) { return (headers.has(ids) || ...); };
  if (!any(HeaderId::Connection, HeaderId::Upgrade, HeaderId::KeepAlive, HeaderId::ProxyConnection,
           HeaderId::TransferEncoding, HeaderId::Te)) {
    return;
  }
  const std::string connection(headers.get(HeaderId::Connection).value_or(""));
  for_each_element(connection, [&](std::string_view option) {
    const std::string name = lower_case(option);
    // What the message cannot do without is not the client's to take away.
    if (name != "upgrade" && name != "te" && name != "host" && name != "content-length" &&
        !name.starts_with(':') && !name.starts_with("x-forwarded-")) {
      headers.remove(name);
    }
    return true;
  });
  headers.remove(HeaderId::KeepAlive);
  headers.remove(HeaderId::ProxyConnection);
  headers.remove(HeaderId::TransferEncoding);
  const auto te = headers.get(HeaderId::Te);
  if (te && *te != "trailers") {
    const bool trailers = list_contains(*te, "trailers");
    headers.remove(HeaderId::Te);
    if (trailers) headers.add(HeaderId::Te, "trailers");
  }
  if (upgrade.empty() || upgrade == "connect") {
    headers.remove(HeaderId::Connection);
    headers.remove(HeaderId::Upgrade);
  } else {
    headers.set(HeaderId::Connection, "upgrade");
  }
}

std::optional<net::Address> address_from_xff(std::string_view xff, uint32_t trusted_hops,
                                             bool& single) {
  single = xff.find(',') == std::string_view::npos;
  for (uint32_t i = 0; i < trusted_hops; ++i) {
    const size_t comma = xff.rfind(',');
    if (comma == std::string_view::npos) return std::nullopt;
    xff = xff.substr(0, comma);
  }
  const size_t comma = xff.rfind(',');
  const std::string_view last = trim(comma == std::string_view::npos ? xff : xff.substr(comma + 1));
  if (last.empty()) return std::nullopt;
  auto address = net::Address::ip(last, 0);
  if (!address) return std::nullopt;
  return *address;
}

}  // namespace sennit::proxy

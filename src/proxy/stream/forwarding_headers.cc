// x-forwarded-*, x-envoy-*, x-request-id: the part of request_head.h that depends on who asks.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "proxy/stream/forwarded_client_cert.h"
#include "proxy/stream/request_head.h"
#include "proxy/stream/request_id.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;
using http::HeaderMap;

bool is_internal_address(const HcmSettings& settings, const net::Address& address) {
  if (!address.is_ip()) return settings.internal_unix_sockets;
  return std::ranges::any_of(settings.internal_ranges,
                             [&](const net::Cidr& range) { return range.contains(address); });
}

// Instructions to the router that only a trusted caller may give.
constexpr std::array<std::string_view, 13> kInternalOnly = {
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-force-trace",
    "x-envoy-ip-tags",
    "x-envoy-original-url",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-upstream-stream-duration-ms",
};

void remove_envoy_headers(HeaderMap& request, bool edge) {
  bool any = false;
  for (const auto field : request) any |= field.name.starts_with("x-envoy-");
  if (!any) return;
  request.remove_if([edge](const HeaderMap::Field& field) {
    switch (field.id) {
      case HeaderId::XEnvoyInternal:
      case HeaderId::XEnvoyRetryOn:
      case HeaderId::XEnvoyExpectedRqTimeoutMs:
        return true;
      case HeaderId::XEnvoyDecoratorOperation:
      case HeaderId::XEnvoyDownstreamServiceCluster:
      case HeaderId::XEnvoyOriginalPath:
      case HeaderId::XEnvoyOriginalHost:
        return edge;
      case HeaderId::None:
        return (edge && field.name == "x-envoy-downstream-service-node") ||
               std::ranges::find(kInternalOnly, field.name) != kInternalOnly.end();
      default:
        return false;
    }
  });
}

void append_xff(HeaderMap& request, const net::Address& client) {
  if (!client.is_ip()) return;
  const auto present = request.get(HeaderId::XForwardedFor);
  const std::string ip = client.ip_string();
  if (!present || present->empty()) {
    request.set(HeaderId::XForwardedFor, ip);
    return;
  }
  std::string joined(*present);  // Envoy joins by a comma without a blank
  joined += ',';
  joined += ip;
  request.set(HeaderId::XForwardedFor, joined);
}

struct Client {
  std::optional<net::Address> address;  // none: the connection's
  bool single_hop = false;              // nobody stands between, as far as XFF tells
};

Client find_client(const HcmSettings& settings, const HeaderMap& request) {
  Client client;
  const auto xff = request.get(HeaderId::XForwardedFor);
  if (settings.use_remote_address) {
    client.single_hop = !xff;
    if (settings.xff_trusted_hops > 0 && xff) {
      bool single;
      client.address = address_from_xff(*xff, settings.xff_trusted_hops - 1, single);
    }
    return client;
  }
  if (!xff) return client;
  client.address = address_from_xff(*xff, settings.xff_trusted_hops, client.single_hop);
  client.single_hop = client.single_hop && client.address;
  return client;
}

void set_forwarded_proto(const HcmSettings& settings, HeaderMap& request, bool tls) {
  const std::string_view ours = tls ? "https" : "http";
  const auto sent = request.get(HeaderId::XForwardedProto);
  const bool trusted = !settings.use_remote_address || settings.xff_trusted_hops > 0;
  const bool valid = sent && (*sent == "http" || *sent == "https");
  const std::string_view scheme = !trusted || !valid ? ours
                                  : *sent == "https" ? std::string_view("https")
                                                     : "http";
  if (!trusted || !valid) request.set(HeaderId::XForwardedProto, ours);
  // :scheme follows what the client used, as told by the trusted header.
  if (!settings.scheme_to_overwrite.empty()) {
    request.set(HeaderId::Scheme, settings.scheme_to_overwrite);
    return;
  }
  if (request.scheme() != scheme) request.set(HeaderId::Scheme, scheme);
}

}  // namespace

void mark_forwarded(const HcmSettings& settings, HeaderMap& request,
                    const DownstreamInfo& downstream, std::string_view cert_element, Random& random,
                    RequestHead& head) {
  const bool tls = downstream.tls != nullptr;
  const Client client = find_client(settings, request);
  head.client = client.address;
  const net::Address& address = client.address ? *client.address : downstream.remote_address;
  head.internal = client.single_hop && (client.address || settings.use_remote_address) &&
                  is_internal_address(settings, address);
  const bool edge = settings.use_remote_address && !head.internal;

  if (settings.use_remote_address && !settings.skip_xff_append) {
    append_xff(request, downstream.remote_address);
  }
  set_forwarded_proto(settings, request, tls);
  if (settings.append_x_forwarded_port && !request.has(HeaderId::XForwardedPort)) {
    request.set(HeaderId::XForwardedPort, fmt::format_int(downstream.local_address.port()).c_str());
  }
  if (head.internal) {
    request.set(HeaderId::XEnvoyInternal, "true");
  } else {
    remove_envoy_headers(request, edge);
  }
  if (!settings.via.empty()) request.append_to(HeaderId::Via, settings.via);
  if (settings.generate_request_id) {
    const bool keep = !edge || settings.preserve_external_request_id;
    const auto sent = request.get(HeaderId::XRequestId);
    if (!keep || !sent || sent->empty()) {
      request.set(HeaderId::XRequestId, Uuid(random).view());
    }
  }
  forward_client_cert(settings.forward_client_cert, downstream.tls, cert_element, request);
}

}  // namespace sennit::proxy

// Compiles envoy.config.route.v3.Route. Private to the room; the errors' paths begin below the
// route ("match.safe_regex: ...").
#pragma once

#include <envoy/config/route/v3/route_components.pb.h>

#include <memory>

#include "base/result.h"
#include "proxy/route/route_impl.h"

namespace sennit::proxy {

// What a route takes from the virtual host and the table around it.
struct RouteParents {
  FilterConfigParser parse = nullptr;
  std::string virtual_host;
  HeaderLevel host_level, table_level;
  FilterConfigs filter_configs;              // the virtual host's, then the table's
  std::shared_ptr<const RetryPolicy> retry;  // the virtual host's
  std::vector<MirrorPolicy> mirrors;         // the virtual host's, else the table's
  bool include_attempt_count = false;
  bool include_attempt_count_in_response = false;
  bool most_specific_wins = false;
  uint32_t max_direct_response_body_size = 4096;  // Envoy's default
};

Result<std::shared_ptr<const Route>> build_route(const envoy::config::route::v3::Route& config,
                                                 const RouteParents& parents);
Result<std::vector<MirrorPolicy>> make_mirrors(
    const google::protobuf::RepeatedPtrField<
        envoy::config::route::v3::RouteAction::RequestMirrorPolicy>& configs);

// Request and response operations of any message that has the four header fields.
template <typename Config>
Result<HeaderLevel> make_header_level(const Config& config) {
  auto request = HeaderOperations::create(config.request_headers_to_add(),
                                          config.request_headers_to_remove(), "request_headers");
  if (!request) return std::unexpected(request.error());
  auto response = HeaderOperations::create(config.response_headers_to_add(),
                                           config.response_headers_to_remove(), "response_headers");
  if (!response) return std::unexpected(response.error());
  return HeaderLevel{*std::move(request), *std::move(response)};
}

}  // namespace sennit::proxy

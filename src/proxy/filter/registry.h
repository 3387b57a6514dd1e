// The HTTP filters that exist, by the type URL of their configuration. Each filter's room
// (filter/NAME/) adds itself in registry.cc. A type URL that is not here is refused by name.
#pragma once

#include <google/protobuf/any.pb.h>

#include <memory>
#include <string_view>

#include "base/result.h"
#include "proxy/filter/filter.h"

namespace sennit::proxy {

// What building a filter may depend on: the registry of metrics, who this proxy is, and on which
// side of the traffic the listener stands.
enum class TrafficDirection : uint8_t { Unspecified, Inbound, Outbound };
struct LocalNode;  // proxy/config/local_node.h

struct FilterBuildContext {
  stats::Registry& stats;
  const LocalNode& node;
  TrafficDirection direction = TrafficDirection::Unspecified;
  std::string_view stat_prefix;  // the HCM's
};

struct FilterType {
  std::string_view type_url;  // "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"
  Result<std::unique_ptr<FilterFactory>> (*create)(const google::protobuf::Any& config,
                                                   const FilterBuildContext& context);
  // Parses a typed_per_filter_config entry; nullptr where the filter takes none.
  Result<std::shared_ptr<const void>> (*create_route_config)(const google::protobuf::Any& config);
  std::string_view route_type_url;  // where it differs from type_url
};

// nullptr where there is none. TypedStruct is unwrapped by the caller (config/any.h).
const FilterType* find_filter_type(std::string_view type_url);
const FilterType* find_filter_type_by_route_config(std::string_view type_url);

}  // namespace sennit::proxy

#include "proxy/filter/registry.h"

#include <vector>

#include "proxy/filter/filter_types.h"
#include "proxy/route/route_table.h"

namespace sennit::proxy {
namespace {

const std::vector<FilterType>& filter_types() {
  static const std::vector<FilterType> types = {
      alpn_filter_type(),       cors_filter_type(),        fault_filter_type(),
      grpc_stats_filter_type(), istio_stats_filter_type(), peer_metadata_filter_type(),
      rbac_filter_type(),
  };
  return types;
}

Result<std::shared_ptr<const void>> parse_filter_config(const google::protobuf::Any& any) {
  const FilterType* type = find_filter_type_by_route_config(any.type_url());
  if (type == nullptr) return fail("{} is not supported", any.type_url());
  return type->create_route_config(any);
}

}  // namespace

const FilterType* find_filter_type(std::string_view type_url) {
  for (const FilterType& type : filter_types()) {
    if (type.type_url == type_url) return &type;
  }
  return nullptr;
}

const FilterType* find_filter_type_by_route_config(std::string_view type_url) {
  for (const FilterType& type : filter_types()) {
    const auto route_type = type.route_type_url.empty() ? type.type_url : type.route_type_url;
    if (type.create_route_config != nullptr && route_type == type_url) return &type;
  }
  return nullptr;
}

Result<std::shared_ptr<const RouteTable>> RouteTable::create(
    const envoy::config::route::v3::RouteConfiguration& config) {
  return create(config, parse_filter_config);
}

}  // namespace sennit::proxy

// typed_per_filter_config: what a route, virtual host, table or weighted cluster says to a filter.
// Levels are merged when the table is built, so that a lookup is one short search.
#pragma once

#include <google/protobuf/any.pb.h>
#include <google/protobuf/map.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sennit::proxy {

// Parses one entry by its type URL (the filter's own route configuration type).
using FilterConfigParser =
    Result<std::shared_ptr<const void>> (*)(const google::protobuf::Any& any);

struct FilterConfigEntry {
  std::string filter_name;  // as the HCM names the filter
  std::shared_ptr<const void> config;
  bool disabled = false;
};
using FilterConfigs = std::vector<FilterConfigEntry>;

// Unwraps envoy.config.route.v3.FilterConfig{config, is_optional, disabled}. Errors name the key.
Result<FilterConfigs> make_filter_configs(
    const google::protobuf::Map<std::string, google::protobuf::Any>& configs,
    FilterConfigParser parse);
// `specific`, then what `general` has and it has not.
FilterConfigs merge_filter_configs(FilterConfigs specific, const FilterConfigs& general);
// nullptr where there is none.
const FilterConfigEntry* find_filter_config(const FilterConfigs& configs,
                                            std::string_view filter_name);

}  // namespace sennit::proxy

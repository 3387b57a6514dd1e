#include "proxy/route/filter_configs.h"

#include <envoy/config/route/v3/route_components.pb.h>

#include <map>
#include "proxy/match/field_path.h"

namespace sennit::proxy {
namespace {

Result<FilterConfigEntry> make_entry(const google::protobuf::Any& any, FilterConfigParser parse) {
  FilterConfigEntry entry;
  if (!any.Is<envoy::config::route::v3::FilterConfig>()) {
    auto config = parse(any);
    if (!config) return std::unexpected(config.error());
    entry.config = *std::move(config);
    return entry;
  }
  envoy::config::route::v3::FilterConfig wrapper;
  if (!any.UnpackTo(&wrapper)) return fail("FilterConfig: does not parse");
  entry.disabled = wrapper.disabled();
  if (!wrapper.has_config()) return entry;
  auto config = parse(wrapper.config());
  if (config) {
    entry.config = *std::move(config);
  } else if (!wrapper.is_optional()) {
    return std::unexpected(in_field(config.error(), "config"));
  }
  return entry;
}

}  // namespace

Result<FilterConfigs> make_filter_configs(
    const google::protobuf::Map<std::string, google::protobuf::Any>& configs,
    FilterConfigParser parse) {
  FilterConfigs entries;
  // In the order of their names, so that the first error is always the same one.
  const std::map<std::string_view, const google::protobuf::Any*> sorted = [&] {
    std::map<std::string_view, const google::protobuf::Any*> by_name;
    for (const auto& [name, any] : configs) by_name.emplace(name, &any);
    return by_name;
  }();
  for (const auto& [name, any] : sorted) {
    auto entry = make_entry(*any, parse);
    if (!entry) {
      return std::unexpected(
          in_field(entry.error(), fmt::format("typed_per_filter_config[{}]", name)));
    }
    entry->filter_name = name;
    entries.push_back(*std::move(entry));
  }
  return entries;
}

FilterConfigs merge_filter_configs(FilterConfigs specific, const FilterConfigs& general) {
  for (const auto& entry : general) {
    if (find_filter_config(specific, entry.filter_name) == nullptr) specific.push_back(entry);
  }
  return specific;
}

const FilterConfigEntry* find_filter_config(const FilterConfigs& configs,
                                            std::string_view filter_name) {
  for (const auto& entry : configs) {
    if (entry.filter_name == filter_name) return &entry;
  }
  return nullptr;
}

}  // namespace sennit::proxy

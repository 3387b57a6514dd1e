#include "proxy/stream/http_filters.h"

#include <envoy/extensions/filters/http/router/v3/router.pb.h>

#include "proxy/config/any.h"
#include "proxy/filter/typed_config.h"

namespace sennit::proxy {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
using RouterConfig = envoy::extensions::filters::http::router::v3::Router;
using google::protobuf::Any;

Status read_router(const Any& any, RouterSettings& router) {
  static const SupportedFields kSupported = {
      {"envoy.extensions.filters.http.router.v3.Router",
       {"dynamic_stats", "suppress_envoy_headers", "suppress_grpc_request_failure_code_stats"}}};
  auto config = unpack_config<RouterConfig>(any, kSupported);
  if (!config) return std::unexpected(config.error().within("typed_config"));
  router.suppress_envoy_headers = config->suppress_envoy_headers();
  return {};
}

Status add_filter(const hcm::HttpFilter& config, const Any& any, const FilterBuildContext& context,
                  HcmSettings& settings) {
  const FilterType* type = find_filter_type(any.type_url());
  if (type == nullptr) {
    if (config.is_optional()) return {};
    return fail("typed_config: filter {} of type {} is not supported", config.name(),
                any.type_url());
  }
  auto factory = type->create(any, context);
  if (!factory) return std::unexpected(factory.error().within("typed_config"));
  const uint32_t hooks = (*factory)->hooks();
  settings.filters.push_back({config.name(), std::move(*factory), hooks});
  settings.filter_hooks |= hooks;
  return {};
}

Status build_one(const hcm::HttpFilter& config, bool last, const FilterBuildContext& context,
                 HcmSettings& settings) {
  if (config.has_config_discovery()) return fail("config_discovery: is not supported");
  if (config.disabled()) return fail("disabled: is not supported");
  auto any = unwrap_typed_struct(config.typed_config());
  if (!any) {
    if (config.is_optional()) return {};
    return std::unexpected(any.error().within("typed_config"));
  }
  const bool is_router = any->Is<RouterConfig>();
  if (is_router != last) {
    return fail("{}", last ? "the last filter must be envoy.filters.http.router"
                           : "envoy.filters.http.router must be the last filter");
  }
  return is_router ? read_router(*any, settings.router)
                   : add_filter(config, *any, context, settings);
}

}  // namespace

Status build_http_filters(const hcm::HttpConnectionManager& config,
                          const FilterBuildContext& context, HcmSettings& settings) {
  const int count = config.http_filters_size();
  if (count == 0) return fail("http_filters: is empty; the router must be there");
  for (int i = 0; i < count; ++i) {
    auto built = build_one(config.http_filters(i), i == count - 1, context, settings);
    if (!built) return std::unexpected(built.error().within(fmt::format("http_filters[{}]", i)));
  }
  return {};
}

}  // namespace sennit::proxy

#include "proxy/stream/http_filters.h"

#include <envoy/extensions/filters/http/router/v3/router.pb.h>
#include <google/protobuf/util/json_util.h>
#include <udpa/type/v1/typed_struct.pb.h>
#include <xds/type/v3/typed_struct.pb.h>

#include "proxy/filter/typed_config.h"

namespace sennit::proxy {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
using RouterConfig = envoy::extensions::filters::http::router::v3::Router;
using google::protobuf::Any;

template <typename TypedStruct>
Result<Any> message_of(const Any& any) {
  TypedStruct typed;
  if (!any.UnpackTo(&typed)) return fail("does not parse as {}", any.type_url());
  const std::string& url = typed.type_url();
  const std::string name = url.substr(url.rfind('/') + 1);
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (descriptor == nullptr) return fail("{} is not supported", url);
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(typed.value(), &json).ok()) {
    return fail("value is not valid JSON");
  }
  std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, message.get());
  if (!parsed.ok()) return fail("value: {}", std::string(parsed.message()));
  Any out;
  out.set_type_url("type.googleapis.com/" + name);
  message->SerializeToString(out.mutable_value());
  return out;
}

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

Result<Any> unwrap_typed_struct(const Any& any) {
  if (any.Is<udpa::type::v1::TypedStruct>()) return message_of<udpa::type::v1::TypedStruct>(any);
  if (any.Is<::xds::type::v3::TypedStruct>()) return message_of<::xds::type::v3::TypedStruct>(any);
  return any;
}

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

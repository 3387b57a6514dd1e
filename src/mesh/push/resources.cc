#include "mesh/push/resources.h"

namespace sennit::mesh {

std::vector<XdsResource> TranslatedResources::all(std::string_view type_url) const {
  if (type_url == kClusterType) return translate_clusters(mesh_, proxy_);
  if (type_url == kListenerType) return translate_listeners(mesh_, proxy_);
  return {};
}

XdsResource TranslatedResources::one(std::string_view type_url, std::string_view name) const {
  if (type_url == kEndpointType) return translate_endpoints(mesh_, proxy_, name);
  if (type_url == kRouteType) return translate_routes(mesh_, proxy_, name);
  for (XdsResource& resource : all(type_url))
    if (resource.name == name) return std::move(resource);
  return {.name = std::string(name), .bytes = nullptr, .hash = 0};
}

}  // namespace sennit::mesh

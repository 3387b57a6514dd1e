// What the control plane's xDS streams serve: the translation of one mesh for one proxy.
#pragma once

#include "mesh/translate/translate.h"
#include "xds/resource.h"

namespace sennit::mesh {

class TranslatedResources final : public xds::Resources {
 public:
  TranslatedResources(const Mesh& mesh, const Proxy& proxy) : mesh_(mesh), proxy_(proxy) {}
  std::vector<XdsResource> all(std::string_view type_url) const override;
  XdsResource one(std::string_view type_url, std::string_view name) const override;

 private:
  const Mesh& mesh_;
  const Proxy& proxy_;
};

// Types are served in this order, so that what a resource refers to is there before it is used
// (make before break): clusters, endpoints, listeners, routes.
inline constexpr std::string_view kPushOrder[] = {kClusterType, kEndpointType, kListenerType,
                                                  kRouteType};

}  // namespace sennit::mesh

#include "xds/resource.h"

namespace sennit::xds {

uint64_t content_hash(std::string_view bytes) {
  uint64_t hash = 14695981039346656037u;
  for (unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211u;
  return hash == 0 ? 1 : hash;  // 0 stands for "absent"
}

std::string_view short_type(std::string_view type_url) {
  if (type_url == kClusterType) return "CDS";
  if (type_url == kEndpointType) return "EDS";
  if (type_url == kListenerType) return "LDS";
  if (type_url == kRouteType) return "RDS";
  if (type_url == kSecretType) return "SDS";
  return type_url;
}

}  // namespace sennit::xds

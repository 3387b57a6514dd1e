#include "mesh/api/istio/peer_authentication.pb.h"

#include "mesh/api/validate/common.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {

void validate_peer_authentication(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<istio::v1::PeerAuthentication>();
  if (spec.has_selector()) check_selector(checker, spec.selector());
  if (!checker.written("portLevelMtls")) return;
  if (spec.port_level_mtls().empty())
    checker.error("portLevelMtls", "is empty; name a port or remove it");
  if (spec.selector().match_labels().empty())
    checker.error("portLevelMtls", "needs a \"selector\": ports are those of a workload");
  for (const auto& [port, mtls] : spec.port_level_mtls())
    check_port(checker, keyed("portLevelMtls", std::to_string(port)), port);
}

}  // namespace sennit::mesh

// PeerAuthentication: port, workload, namespace, mesh; the oldest of each level counts.
#include <algorithm>

#include "mesh/model/mesh.h"

namespace sennit::mesh {

namespace {

using Mode = api::PeerAuthentication::MutualTLS;

MutualTls resolve(Mode::Mode mode, MutualTls inherited) {
  switch (mode) {
    case Mode::DISABLE:
      return MutualTls::Disable;
    case Mode::PERMISSIVE:
      return MutualTls::Permissive;
    case Mode::STRICT:
      return MutualTls::Strict;
    default:
      return inherited;
  }
}

bool has_selector(const api::PeerAuthentication& spec) {
  return !spec.selector().match_labels().empty();
}

}  // namespace

MutualTls Mesh::mutual_tls(std::string_view namespace_, const Labels& labels, uint32_t port) const {
  auto of = [&](std::string_view where) -> const std::vector<ResourcePtr>* {
    auto found = peer_authentications_.find(where);
    return found == peer_authentications_.end() ? nullptr : &found->second;
  };
  auto namespace_wide = [&](const std::vector<ResourcePtr>* policies, MutualTls inherited) {
    if (policies == nullptr) return inherited;
    for (const auto& policy : *policies) {
      const auto& spec = policy->as<api::PeerAuthentication>();
      if (!has_selector(spec)) return resolve(spec.mtls().mode(), inherited);
    }
    return inherited;
  };
  MutualTls mode = namespace_wide(of(root_namespace_), MutualTls::Permissive);
  const auto* own = of(namespace_);
  if (namespace_ != root_namespace_) mode = namespace_wide(own, mode);
  if (own == nullptr) return mode;
  for (const auto& policy : *own) {
    const auto& spec = policy->as<api::PeerAuthentication>();
    const auto& wanted = spec.selector().match_labels();
    if (!has_selector(spec) || !selects({wanted.begin(), wanted.end()}, labels)) continue;
    mode = resolve(spec.mtls().mode(), mode);
    auto by_port = spec.port_level_mtls().find(port);
    return by_port == spec.port_level_mtls().end() ? mode : resolve(by_port->second.mode(), mode);
  }
  return mode;
}

}  // namespace sennit::mesh

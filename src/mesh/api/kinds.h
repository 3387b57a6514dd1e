// The kinds that Sennit reads: Istio's fifteen and Kubernetes' core Service. One table for the
// decoder, the validators and `sennit api-support`.
#pragma once

#include <google/protobuf/message.h>

#include <span>
#include <string_view>
#include <vector>

#include "mesh/api/checker.h"

namespace sennit::mesh {

struct Kind {
  std::string_view name;
  std::string_view group;                  // "" is Kubernetes' core
  std::vector<std::string_view> versions;  // the newest first
  const google::protobuf::Message* prototype = nullptr;
  // Istio's rules beyond types (its webhook's), see validate/*.cc.
  void (*validate)(const Resource&, Checker&) = nullptr;
  // False: decoded and checked, but nothing of it is in force (a warning says so).
  bool in_force = true;

  std::string api_version(std::string_view version) const;  // "networking.istio.io/v1"
};

std::span<const Kind> all_kinds();
const Kind* find_kind(std::string_view name);  // nullptr where it is not one of ours
// True for the API groups of which we know every kind.
bool is_istio_group(std::string_view group);

}  // namespace sennit::mesh

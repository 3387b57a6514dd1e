// What the tests of this room share: YAML to a mesh, resources back to messages.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "mesh/api/decode.h"
#include "mesh/translate/translate.h"

namespace sennit::mesh {

inline std::vector<ResourcePtr> resources_of(const std::string& text) {
  Decoded decoded = decode(text, "test.yaml");
  for (const auto& diagnostic : decoded.diagnostics) {
    if (diagnostic.level == Diagnostic::Level::Error) ADD_FAILURE() << diagnostic.to_string();
  }
  return decoded.resources;
}

inline std::shared_ptr<const Mesh> mesh_of(const std::string& text, api::MeshConfig config = {}) {
  return Mesh::build(resources_of(text), std::make_shared<api::MeshConfig>(std::move(config)));
}

template <typename Message>
Message parse(const XdsResource& resource) {
  Message message;
  EXPECT_TRUE(resource.bytes && message.ParseFromString(*resource.bytes)) << resource.name;
  return message;
}

// The one of this name; a failure if there is none.
inline XdsResource named(const std::vector<XdsResource>& resources, const std::string& name) {
  for (const auto& resource : resources) {
    if (resource.name == name) return resource;
  }
  ADD_FAILURE() << "there is no " << name;
  return {name, nullptr, 0};
}

}  // namespace sennit::mesh

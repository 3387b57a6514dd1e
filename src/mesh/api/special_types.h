// The types that YAML writes otherwise than as their messages: durations, free-form structures,
// Kubernetes' IntOrString. Each fills `message`, and answers what is wrong; empty is well.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "mesh/api/yaml.h"

namespace sennit::mesh {

std::string decode_duration(const YamlNode& value, google::protobuf::Message& message);
std::string decode_struct(const YamlNode& value, google::protobuf::Message& message);
std::string decode_int_or_string(const YamlNode& value, google::protobuf::Message& message);
// Standard base64 with or without padding; false where it is not.
bool decode_base64(std::string_view text, std::string& bytes);

}  // namespace sennit::mesh

// A resource's metadata: names by Kubernetes' rules, labels, annotations, the creation time.
#pragma once

#include <string_view>
#include <vector>

#include "mesh/api/resource.h"
#include "mesh/api/yaml.h"

namespace sennit::mesh {

// Fills the resource; answers how many errors there were. `metadata` may be nullptr; `document` is
// where a missing name is told of.
int decode_metadata(const YamlNode* metadata, const YamlNode& document, Resource& resource,
                    std::vector<Diagnostic>& diagnostics);

// RFC 1123: a label is 1 to 63 of [a-z0-9-], a subdomain labels joined by dots, 253 at most.
bool is_dns_label(std::string_view name);
bool is_dns_subdomain(std::string_view name);
// What is wrong with a label by Kubernetes' syntax ("prefix/name": value); empty: nothing.
std::string label_problem(std::string_view key, std::string_view value);

// "2026-08-01T10:00:00Z" in seconds since 1970; nothing where it is not RFC 3339.
std::optional<int64_t> parse_timestamp(std::string_view text);

}  // namespace sennit::mesh

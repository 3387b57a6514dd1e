#include "mesh/api/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>

#include "mesh/api/field_decoder.h"

namespace sennit::mesh {
namespace {

constexpr size_t kMaxLabel = 63, kMaxSubdomain = 253;

bool is_alphanumeric(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}
bool is_lower_alphanumeric(char c) {
  return is_alphanumeric(c) && !(c >= 'A' && c <= 'Z');
}

// 63 of [A-Za-z0-9._-] at most, alphanumeric at both ends.
bool is_qualified_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxLabel) return false;
  if (!is_alphanumeric(name.front()) || !is_alphanumeric(name.back())) return false;
  return std::ranges::all_of(
      name, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

class MetadataDecoder {
 public:
  MetadataDecoder(Resource& resource, std::vector<Diagnostic>& diagnostics)
      : resource_(resource), fields_(resource.origin.file, resource.kind, diagnostics) {}

  int decode(const YamlNode* metadata, const YamlNode& document) {
    resource_.namespace_ = "default";
    if (metadata && !metadata->is_null()) {
      if (metadata->is_mapping()) {
        for (size_t i = 0; i + 1 < metadata->items.size(); i += 2)
          field(metadata->items[i], metadata->items[i + 1]);
      } else {
        fields_.error(*metadata, "metadata", "must be a mapping");
      }
    }
    if (resource_.name.empty() && fields_.errors() == 0)
      fields_.error(document, "metadata.name", "is missing; every resource needs a name");
    return fields_.errors();
  }

 private:
  void field(const YamlNode& key, const YamlNode& value) {
    // What an API server writes; a mesh has nothing to read there.
    static constexpr std::string_view kIgnored[] = {"uid",
                                                    "resourceVersion",
                                                    "generation",
                                                    "generateName",
                                                    "managedFields",
                                                    "ownerReferences",
                                                    "finalizers",
                                                    "selfLink",
                                                    "deletionTimestamp",
                                                    "deletionGracePeriodSeconds"};
    static const std::vector<std::string_view> known{"name", "namespace", "labels", "annotations",
                                                     "creationTimestamp"};
    const std::string path = "metadata." + key.text;
    if (value.is_null() || std::ranges::count(kIgnored, key.text)) return;
    if (key.text == "name" || key.text == "namespace") return name(key, value, path);
    if (key.text == "labels") return labels(value, path);
    if (key.text == "annotations") {
      resource_.annotations = fields_.text_map(value, path);
    } else if (key.text == "creationTimestamp") {
      const auto time = value.is_scalar() ? parse_timestamp(value.text) : std::nullopt;
      if (!time) return fields_.error(key, path, "must be a time such as 2026-08-01T10:00:00Z");
      resource_.creation_time = *time;
    } else {
      const std::string nearest = nearest_word(key.text, known);
      fields_.error(key, path,
                    nearest.empty()
                        ? "there is no such field in metadata"
                        : fmt::format("there is no such field; did you mean \"{}\"?", nearest));
    }
  }

  void name(const YamlNode& key, const YamlNode& value, const std::string& path) {
    auto text = fields_.text(value, path);
    if (!text) return;
    const bool is_namespace = key.text == "namespace";
    const bool good = is_namespace ? is_dns_label(*text) : is_dns_subdomain(*text);
    if (!good)
      return fields_.error(key, path,
                           fmt::format("\"{}\" is no name: write lower-case letters, digits{} and "
                                       "\"-\", with a letter or digit at both ends",
                                       *text, is_namespace ? "" : ", \".\""));
    (is_namespace ? resource_.namespace_ : resource_.name) = std::move(*text);
  }

  void labels(const YamlNode& value, const std::string& path) {
    resource_.labels = fields_.text_map(value, path);
    for (const auto& [key, text] : resource_.labels)
      if (const std::string problem = label_problem(key, text); !problem.empty())
        fields_.error(value, fmt::format("{}[{}]", path, key), problem);
  }

  Resource& resource_;
  FieldDecoder fields_;
};

}  // namespace

int decode_metadata(const YamlNode* metadata, const YamlNode& document, Resource& resource,
                    std::vector<Diagnostic>& diagnostics) {
  return MetadataDecoder(resource, diagnostics).decode(metadata, document);
}

bool is_dns_label(std::string_view name) {
  if (name.empty() || name.size() > kMaxLabel) return false;
  if (name.front() == '-' || name.back() == '-') return false;
  return std::ranges::all_of(name, [](char c) { return is_lower_alphanumeric(c) || c == '-'; });
}

bool is_dns_subdomain(std::string_view name) {
  if (name.empty() || name.size() > kMaxSubdomain) return false;
  while (true) {
    const size_t dot = name.find('.');
    // A subdomain's labels may be longer than 63 in Kubernetes' names, as long as the whole fits.
    const std::string_view label = name.substr(0, dot);
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(label, [](char c) { return is_lower_alphanumeric(c) || c == '-'; }))
      return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::string label_problem(std::string_view key, std::string_view value) {
  const size_t slash = key.find('/');
  const std::string_view name = slash == std::string_view::npos ? key : key.substr(slash + 1);
  const bool prefix_good =
      slash == std::string_view::npos || is_dns_subdomain(key.substr(0, slash));
  if (!prefix_good || !is_qualified_name(name))
    return fmt::format(
        "\"{}\" is no label key: at most 63 letters, digits, \"-\", \"_\" and "
        "\".\", after an optional DNS prefix and \"/\"",
        key);
  if (!value.empty() && !is_qualified_name(value))
    return fmt::format(
        "\"{}\" is no label value: at most 63 letters, digits, \"-\", \"_\" and "
        "\".\", with a letter or digit at both ends",
        value);
  return "";
}

std::optional<int64_t> parse_timestamp(std::string_view text) {
  using namespace std::chrono;
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, consumed = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &s, &consumed) !=
      6)
    return std::nullopt;
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)),
                            day(static_cast<unsigned>(d))};
  if (!date.ok() || h > 23 || mi > 59 || s > 60) return std::nullopt;
  std::string_view rest = text.substr(static_cast<size_t>(consumed));
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    while (!rest.empty() && std::isdigit(static_cast<unsigned char>(rest[0])))
      rest.remove_prefix(1);
  }
  int offset = 0;
  if (rest != "Z" && rest != "z") {
    int oh = 0, om = 0;
    const std::string zone(rest);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') ||
        std::sscanf(zone.c_str() + 1, "%2d:%2d", &oh, &om) != 2)
      return std::nullopt;
    offset = (zone[0] == '-' ? -1 : 1) * (oh * 3600 + om * 60);
  }
  return sys_days(date).time_since_epoch().count() * int64_t{86400} + h * 3600 + mi * 60 + s -
         offset;
}

}  // namespace sennit::mesh

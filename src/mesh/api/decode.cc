#include "mesh/api/decode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mesh/api/field_decoder.h"
#include "mesh/api/kinds.h"
#include "mesh/api/metadata.h"
#include "mesh/api/yaml.h"

namespace sennit::mesh {
namespace {

struct TypeName {
  std::string api_version, group, version, kind;
};

class DocumentDecoder {
 public:
  DocumentDecoder(std::string_view file, Decoded& result) : file_(file), result_(result) {}

  void decode(const YamlNode& document) {
    if (!document.is_mapping())
      return error(document,
                   fmt::format("a resource must be a mapping, not {}", document.description()));
    const auto type = type_of(document);
    if (!type) return;
    if (type->kind == "List" && type->group.empty()) return decode_list(document);
    const Kind* kind = find_kind(type->kind);
    if (!kind || (kind->group != type->group && !is_istio_group(type->group)))
      return skip(document, *type);
    if (kind->group != type->group)
      return error(document,
                   fmt::format("{} belongs to the API group {}; write apiVersion: {}", kind->name,
                               kind->group, kind->api_version(kind->versions.front())));
    decode_resource(document, *kind, *type);
  }

 private:
  void error(const YamlNode& at, std::string message) {
    result_.diagnostics.push_back(Diagnostic{Diagnostic::Level::Error,
                                             Origin{file_, at.line, at.column}, "", "",
                                             std::move(message), ""});
  }

  std::optional<TypeName> type_of(const YamlNode& document) {
    TypeName type;
    for (const auto& [key, target] :
         {std::pair("apiVersion", &type.api_version), std::pair("kind", &type.kind)}) {
      const YamlNode* node = document.find(key);
      if (!node || !node->is_scalar() || node->is_null()) {
        error(document, fmt::format("a resource must have \"{}\"", key));
        return std::nullopt;
      }
      *target = node->text;
    }
    const size_t slash = type.api_version.find('/');
    if (slash != std::string::npos) type.group = type.api_version.substr(0, slash);
    type.version = type.api_version.substr(slash == std::string::npos ? 0 : slash + 1);
    return type;
  }

  void decode_list(const YamlNode& document) {
    const YamlNode* items = document.find("items");
    if (!items || items->is_null()) return;
    if (!items->is_sequence()) return error(*items, "\"items\" must be a list of resources");
    for (const YamlNode& item : items->items) decode(item);
  }

  void skip(const YamlNode& document, const TypeName& type) {
    if (is_istio_group(type.group)) {
      std::vector<std::string_view> names;
      for (const Kind& kind : all_kinds())
        if (kind.group == type.group) names.push_back(kind.name);
      const std::string nearest = nearest_word(type.kind, names);
      return error(document,
                   fmt::format("{} has no kind \"{}\"{}; it has {}", type.group, type.kind,
                               nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest),
                               fmt::join(names, ", ")));
    }
    result_.diagnostics.push_back(Diagnostic{
        Diagnostic::Level::Warning, Origin{file_, document.line, document.column}, "", "",
        fmt::format("{} {} is skipped: it is no kind that Sennit reads", type.api_version,
                    type.kind),
        ""});
  }

  void decode_resource(const YamlNode& document, const Kind& kind, const TypeName& type) {
    auto resource = std::make_shared<Resource>();
    resource->api_version = type.api_version;
    resource->kind = kind.name;
    resource->origin = Origin{file_, document.line, document.column};
    int errors = 0;
    if (!std::ranges::count(kind.versions, type.version)) {
      ++errors;
      error(document, fmt::format("{} has no version {}; it has {}", kind.name, type.api_version,
                                  fmt::join(kind.versions, ", ")));
    }
    errors += decode_metadata(document.find("metadata"), document, *resource, result_.diagnostics);

    FieldDecoder fields(file_, resource->name.empty() ? resource->kind : resource->display_name(),
                        result_.diagnostics);
    check_top_level(document, fields);
    std::shared_ptr<google::protobuf::Message> spec(kind.prototype->New());
    if (const YamlNode* node = document.find("spec")) fields.decode(*node, *spec, "");
    resource->positions = std::make_shared<Positions>(fields.take_positions());
    resource->spec = std::move(spec);
    errors += fields.errors();
    finish(kind, std::move(resource), errors);
  }

  static void check_top_level(const YamlNode& document, FieldDecoder& fields) {
    static constexpr std::string_view kNames[] = {"apiVersion", "kind", "metadata", "spec",
                                                  "status"};  // status is the cluster's own note
    for (size_t i = 0; i + 1 < document.items.size(); i += 2) {
      const YamlNode& key = document.items[i];
      if (std::ranges::count(kNames, key.text)) continue;
      const std::string nearest = nearest_word(key.text, {std::begin(kNames), std::end(kNames)});
      fields.error(key, key.text,
                   nearest.empty()
                       ? "there is no such field; it may belong under \"spec\""
                       : fmt::format("there is no such field; did you mean \"{}\"?", nearest));
    }
  }

  void finish(const Kind& kind, std::shared_ptr<Resource> resource, int errors) {
    Checker checker(*resource, result_.diagnostics);
    if (errors == 0 && kind.validate) kind.validate(*resource, checker);
    if (errors + checker.errors() > 0) {
      if (!resource->name.empty()) result_.rejected.push_back(key_of(*resource));
      return;
    }
    if (!kind.in_force)
      checker.warning("",
                      "is not in force: Sennit reads and checks the kind {}, but does not act "
                      "on it yet",
                      kind.name);
    result_.resources.push_back(std::move(resource));
  }

  const std::string file_;
  Decoded& result_;
};

}  // namespace

Decoded decode(std::string_view text, std::string_view file) {
  Decoded result;
  YamlDocuments yaml = parse_yaml(text);
  const auto add = [&](const YamlError& error) {
    result.diagnostics.push_back(Diagnostic{Diagnostic::Level::Error,
                                            Origin{std::string(file), error.line, error.column}, "",
                                            "", error.message, ""});
  };
  if (yaml.syntax_error) {
    add(*yaml.syntax_error);
    result.readable = false;
    return result;
  }
  for (const YamlError& error : yaml.errors) add(error);
  DocumentDecoder decoder(file, result);
  for (const YamlNode& document : yaml.documents) decoder.decode(document);
  if (!yaml.errors.empty()) {
    // Which of two values was meant cannot be known: nothing of the text changes what is in force.
    for (const ResourcePtr& resource : result.resources)
      result.rejected.push_back(key_of(*resource));
    result.resources.clear();
  }
  return result;
}

}  // namespace sennit::mesh

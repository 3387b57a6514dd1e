// YAML (and JSON, which is YAML) as a tree with positions: what the decoder reads. Several
// documents per text; anchors, aliases and merge keys are resolved here; duplicate keys are errors.
// Plain scalars are typed as Kubernetes does it, by YAML 1.1: `yes`, `no`, `on`, `off` are booleans
// (`y` and `n` are not).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sennit::mesh {

// A document that nests deeper, or that aliases blow up to more nodes, is refused.
inline constexpr int kMaxYamlDepth = 64;             // Istio's deepest field is 11 levels down
inline constexpr size_t kMaxYamlNodes = 10'000'000;  // per text: about 1 GB of tree

struct YamlNode {
  enum class Kind : unsigned char { Scalar, Sequence, Mapping };
  enum class Type : unsigned char { Null, Boolean, Integer, Float, String };

  Kind kind = Kind::Scalar;
  bool plain = false;  // a scalar that is not quoted
  int line = 0, column = 0;
  std::string text;             // a scalar's
  std::vector<YamlNode> items;  // a sequence's items; a mapping's key, value, key, value, ...

  bool is_scalar() const { return kind == Kind::Scalar; }
  bool is_mapping() const { return kind == Kind::Mapping; }
  bool is_sequence() const { return kind == Kind::Sequence; }
  bool is_null() const { return is_scalar() && type() == Type::Null; }
  Type type() const;  // of a scalar
  // The value of a key, nullptr where there is none.
  const YamlNode* find(std::string_view key) const;
  // "a list", "a mapping", "the number 80", "the boolean yes", "the text \"x\"", "nothing"
  std::string description() const;
};

struct YamlError {
  int line = 0, column = 0;
  std::string message;
};

struct YamlDocuments {
  std::vector<YamlNode> documents;        // those with content, in order
  std::vector<YamlError> errors;          // duplicate keys: the documents can still be looked at
  std::optional<YamlError> syntax_error;  // the text is not YAML from there on
};

YamlDocuments parse_yaml(std::string_view text);

// The value of a scalar, where its type is right and it fits.
std::optional<bool> yaml_boolean(const YamlNode& node);
std::optional<int64_t> yaml_integer(const YamlNode& node);  // 0x, 0o, 0b and 1e3 are accepted
std::optional<double> yaml_number(const YamlNode& node);

}  // namespace sennit::mesh

// The types of plain scalars by YAML 1.1, as Kubernetes' YAML reader resolves them.
#include <charconv>
#include <cmath>

#include "mesh/api/yaml.h"

namespace sennit::mesh {
namespace {

// Not the single letters y and n, which Kubernetes' reader takes for texts.
constexpr std::string_view kTrue[] = {"yes",  "Yes", "YES", "true", "True",
                                      "TRUE", "on",  "On",  "ON"};
constexpr std::string_view kFalse[] = {"no",    "No",  "NO",  "false", "False",
                                       "FALSE", "off", "Off", "OFF"};
constexpr std::string_view kNull[] = {"", "~", "null", "Null", "NULL"};

template <size_t N>
bool one_of(std::string_view text, const std::string_view (&words)[N]) {
  for (std::string_view word : words)
    if (text == word) return true;
  return false;
}

std::string without_underscores(std::string_view text) {
  std::string digits;
  for (char c : text)
    if (c != '_') digits += c;
  return digits;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  if (text.empty() || text[0] == '_') return std::nullopt;
  const std::string digits = without_underscores(text);
  std::string_view rest = digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  int base = 10;
  if (rest.starts_with("0x") || rest.starts_with("0b") || rest.starts_with("0o")) {
    base = rest[1] == 'x' ? 16 : rest[1] == 'b' ? 2 : 8;
    rest.remove_prefix(2);
  } else if (rest.size() > 1 && rest[0] == '0') {
    base = 8;
    rest.remove_prefix(1);
  }
  if (rest.empty() || rest[0] == '-' || rest[0] == '+') return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  if (error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  if (value > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

std::optional<double> parse_float(std::string_view text) {
  if (text == ".inf" || text == "+.inf" || text == ".Inf" || text == ".INF") return INFINITY;
  if (text == "-.inf" || text == "-.Inf" || text == "-.INF") return -INFINITY;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return NAN;
  const std::string digits = without_underscores(text);
  std::string_view rest = digits;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  const std::string_view first = rest.starts_with('-') ? rest.substr(1) : rest;
  if (first.empty() || !((first[0] >= '0' && first[0] <= '9') || first[0] == '.'))
    return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  return value;
}

}  // namespace

YamlNode::Type YamlNode::type() const {
  if (!plain) return Type::String;
  if (one_of(text, kNull)) return Type::Null;
  if (one_of(text, kTrue) || one_of(text, kFalse)) return Type::Boolean;
  if (parse_integer(text)) return Type::Integer;
  if (parse_float(text)) return Type::Float;
  return Type::String;
}

std::optional<bool> yaml_boolean(const YamlNode& node) {
  if (!node.is_scalar() || node.type() != YamlNode::Type::Boolean) return std::nullopt;
  return one_of(node.text, kTrue);
}

std::optional<int64_t> yaml_integer(const YamlNode& node) {
  if (!node.is_scalar()) return std::nullopt;
  if (node.type() == YamlNode::Type::Integer) return parse_integer(node.text);
  if (node.type() != YamlNode::Type::Float) return std::nullopt;
  const double value = *parse_float(node.text);
  // 1e3 and 80.0 are whole numbers, too, up to where a double counts exactly (2^53).
  if (std::trunc(value) != value || std::fabs(value) > 9007199254740992.0) return std::nullopt;
  return static_cast<int64_t>(value);
}

std::optional<double> yaml_number(const YamlNode& node) {
  if (!node.is_scalar()) return std::nullopt;
  if (node.type() == YamlNode::Type::Integer) return static_cast<double>(*parse_integer(node.text));
  if (node.type() == YamlNode::Type::Float) return parse_float(node.text);
  return std::nullopt;
}

}  // namespace sennit::mesh

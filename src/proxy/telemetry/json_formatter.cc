#include "proxy/telemetry/json_formatter.h"

#include <map>

#include "proxy/match/field_path.h"
#include "proxy/telemetry/format_operators.h"

namespace sennit::proxy {
namespace {

constexpr int kMaxDepth = 16;  // of nested objects and lists

void append_escaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
}

// A node of the compiled tree: constant text, a formatted leaf, an object or a list.
struct Node {
  std::string constant;
  std::vector<FormatPiece> pieces;
  std::vector<std::pair<std::string, Node>> members;  // keys are escaped, empty in a list
  bool is_object = false, is_list = false;
};

Result<Node> compile(const google::protobuf::Value& value, int depth);

Result<Node> compile_object(const google::protobuf::Struct& object, int depth) {
  Node node;
  node.is_object = true;
  std::map<std::string, const google::protobuf::Value*> sorted;
  for (const auto& [key, value] : object.fields()) sorted.emplace(key, &value);
  for (const auto& [key, value] : sorted) {
    auto child = compile(*value, depth + 1);
    if (!child) return std::unexpected(in_field(child.error(), key));
    std::string escaped;
    append_escaped(escaped, key);
    node.members.emplace_back(std::move(escaped), *std::move(child));
  }
  return node;
}

Result<Node> compile(const google::protobuf::Value& value, int depth) {
  if (depth > kMaxDepth) return fail("json_format is nested too deeply");
  Node node;
  switch (value.kind_case()) {
    case google::protobuf::Value::kStringValue: {
      auto pieces = parse_format(value.string_value());
      if (!pieces) return std::unexpected(pieces.error());
      node.pieces = *std::move(pieces);
      return node;
    }
    case google::protobuf::Value::kStructValue:
      return compile_object(value.struct_value(), depth);
    case google::protobuf::Value::kListValue:
      node.is_list = true;
      for (const auto& item : value.list_value().values()) {
        auto child = compile(item, depth + 1);
        if (!child) return child;
        node.members.emplace_back("", *std::move(child));
      }
      return node;
    case google::protobuf::Value::kNumberValue:
      node.constant = fmt::format("{}", value.number_value());
      return node;
    case google::protobuf::Value::kBoolValue:
      node.constant = value.bool_value() ? "true" : "false";
      return node;
    default:
      node.constant = "null";
      return node;
  }
}

class JsonFormatter final : public Formatter {
 public:
  JsonFormatter(Node root, JsonOptions options) : root_(std::move(root)), options_(options) {}

  void format(std::string& out, const StreamInfo& info, const http::HeaderMap* request,
              const http::HeaderMap* response, const http::HeaderMap* trailers) const override {
    append(root_, FormatInput{info, request, response, trailers}, out);
    out += '\n';
  }

 private:
  // False where the value is unknown and was left out.
  bool append(const Node& node, const FormatInput& input, std::string& out) const {
    if (node.is_object || node.is_list) return append_members(node, input, out);
    if (!node.constant.empty()) {
      out += node.constant;
      return true;
    }
    if (node.pieces.size() == 1 && !options_.strings_only)
      return append_typed(node.pieces[0], input, out);
    std::string text;
    for (const FormatPiece& piece : node.pieces) {
      if (!append_value(piece, input, text) && !options_.omit_empty) text += '-';
    }
    append_string(text, out);
    return !(options_.omit_empty && text.empty());
  }

  bool append_typed(const FormatPiece& piece, const FormatInput& input, std::string& out) const {
    std::string text;
    if (!append_value(piece, input, text)) {
      // Envoy prints the flags' "-" even where other unknown values are null.
      const bool flags =
          piece.op == FormatOp::ResponseFlags || piece.op == FormatOp::ResponseFlagsLong;
      out += flags ? "\"-\"" : "null";
      return flags || !options_.omit_empty;
    }
    if (is_numeric(piece.op)) {
      out += text;
    } else {
      append_string(text, out);
    }
    return true;
  }

  static void append_string(std::string_view text, std::string& out) {
    out += '"';
    append_escaped(out, text);
    out += '"';
  }

  bool append_members(const Node& node, const FormatInput& input, std::string& out) const {
    out += node.is_object ? '{' : '[';
    bool first = true;
    for (const auto& [key, child] : node.members) {
      const size_t before = out.size();
      if (!first) out += ',';
      if (node.is_object) out.append("\"").append(key).append("\":");
      if (append(child, input, out)) {
        first = false;
      } else {
        out.resize(before);
      }
    }
    out += node.is_object ? '}' : ']';
    return true;
  }

  const Node root_;
  const JsonOptions options_;
};

}  // namespace

Result<std::shared_ptr<const Formatter>> make_json_formatter(const google::protobuf::Struct& format,
                                                             JsonOptions options) {
  auto root = compile_object(format, 0);
  if (!root) return std::unexpected(root.error());
  return std::make_shared<JsonFormatter>(*std::move(root), options);
}

}  // namespace sennit::proxy

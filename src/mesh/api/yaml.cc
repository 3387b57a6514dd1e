#include "mesh/api/yaml.h"

#include <fmt/format.h>
#include <libfyaml.h>

#include <memory>
#include <unordered_map>
#include <unordered_set>

namespace sennit::mesh {
namespace {

struct ParserDeleter {
  void operator()(fy_parser* parser) const { fy_parser_destroy(parser); }
};
struct DiagDeleter {
  void operator()(fy_diag* diag) const { fy_diag_destroy(diag); }
};

std::string text_of(fy_token* token) {
  size_t length = 0;
  const char* text = token ? fy_token_get_text(token, &length) : nullptr;
  return text ? std::string(text, length) : std::string();
}

// Builds trees out of libfyaml's events.
class Composer {
 public:
  explicit Composer(std::string_view text) {
    fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_.reset(fy_diag_create(&diag_config));
    fy_diag_set_collect_errors(diag_.get(), true);
    fy_parse_cfg config{};
    config.flags =
        static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE);
    config.diag = diag_.get();
    parser_.reset(fy_parser_create(&config));
    fy_parser_set_string(parser_.get(), text.data(), text.size());
  }

  YamlDocuments compose() {
    while (fy_event* event = next()) {
      const fy_event_type type = event->type;
      if (type == FYET_DOCUMENT_START) {
        anchors_.clear();
      } else if (type == FYET_SCALAR || type == FYET_MAPPING_START || type == FYET_SEQUENCE_START ||
                 type == FYET_ALIAS) {
        YamlNode node = build(event, 0);
        if (failed()) break;
        if (!node.is_null()) result_.documents.push_back(std::move(node));
        continue;
      }
      free(event);
    }
    if (!failed() && fy_parser_get_stream_error(parser_.get())) fail_from_library();
    return std::move(result_);
  }

 private:
  fy_event* next() { return fy_parser_parse(parser_.get()); }
  void free(fy_event* event) { fy_parser_event_free(parser_.get(), event); }
  bool failed() const { return result_.syntax_error.has_value(); }

  void fail(int line, int column, std::string message) {
    if (!failed()) result_.syntax_error = YamlError{line, column, std::move(message)};
  }
  void fail_from_library() {
    void* position = nullptr;
    const fy_diag_error* error = fy_diag_errors_iterate(diag_.get(), &position);
    if (!error) return fail(1, 1, "this is not YAML");
    fail(error->line, error->column, fmt::format("this is not YAML: {}", error->msg));
  }

  // Takes the event; what follows it up to its end belongs to the node.
  YamlNode build(fy_event* event, int depth) {
    YamlNode node;
    if (const fy_mark* mark = fy_event_start_mark(event)) {
      node.line = mark->line + 1;
      node.column = mark->column + 1;
    }
    if (depth > kMaxYamlDepth)
      fail(node.line, node.column, fmt::format("nested deeper than {} levels", kMaxYamlDepth));
    if (++nodes_ > kMaxYamlNodes)
      fail(node.line, node.column, fmt::format("more than {} values", kMaxYamlNodes));
    const std::string anchor =
        event->type == FYET_ALIAS ? "" : text_of(fy_event_get_anchor_token(event));
    const fy_event_type type = event->type;
    if (type == FYET_ALIAS) {
      resolve_alias(event, node);
    } else if (type == FYET_SCALAR) {
      fill_scalar(event, node);
    }
    free(event);
    if (type == FYET_SEQUENCE_START) fill_sequence(node, depth);
    if (type == FYET_MAPPING_START) fill_mapping(node, depth);
    if (!anchor.empty() && !failed()) anchors_[anchor] = {node, nodes_in(node)};
    return node;
  }

  static size_t nodes_in(const YamlNode& node) {
    size_t count = 1;
    for (const YamlNode& item : node.items) count += nodes_in(item);
    return count;
  }

  void fill_scalar(fy_event* event, YamlNode& node) {
    fy_token* token = event->scalar.value;
    node.plain = !token || fy_token_scalar_style(token) == FYSS_PLAIN;
    node.text = text_of(token);
    if (fy_token* tag = fy_event_get_tag_token(event); tag && text_of(tag).ends_with("str"))
      node.plain = false;
  }

  void resolve_alias(fy_event* event, YamlNode& node) {
    const std::string name = text_of(event->alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end())
      return fail(node.line, node.column,
                  fmt::format("*{} names no anchor (&{}) before it", name, name));
    nodes_ += found->second.count;
    if (nodes_ > kMaxYamlNodes)
      return fail(node.line, node.column,
                  fmt::format("aliases make more than {} values of it", kMaxYamlNodes));
    node = found->second.node;
  }

  void fill_sequence(YamlNode& node, int depth) {
    node.kind = YamlNode::Kind::Sequence;
    while (!failed()) {
      fy_event* event = next();
      if (!event) return fail_from_library();
      if (event->type == FYET_SEQUENCE_END) return free(event);
      node.items.push_back(build(event, depth + 1));
    }
  }

  void fill_mapping(YamlNode& node, int depth) {
    node.kind = YamlNode::Kind::Mapping;
    std::vector<YamlNode> merged;
    std::unordered_map<std::string, int> lines;
    while (!failed()) {
      fy_event* event = next();
      if (!event) return fail_from_library();
      if (event->type == FYET_MAPPING_END) {
        free(event);
        break;
      }
      YamlNode key = build(event, depth + 1);
      event = failed() ? nullptr : next();
      if (!event) return fail_from_library();
      YamlNode value = build(event, depth + 1);
      if (!key.is_scalar()) return fail(key.line, key.column, "a key must be a plain text");
      if (key.plain && key.text == "<<") {
        merged.push_back(std::move(value));
        continue;
      }
      if (const auto [at, fresh] = lines.emplace(key.text, key.line); !fresh) {
        result_.errors.push_back(
            {key.line, key.column,
             fmt::format("\"{}\" is written twice in one mapping (first in line {}); remove one",
                         key.text, at->second)});
        continue;
      }
      node.items.push_back(std::move(key));
      node.items.push_back(std::move(value));
    }
    for (const YamlNode& source : merged) merge(node, source);
  }

  // YAML's "<<": what the mapping says itself comes first.
  void merge(YamlNode& node, const YamlNode& source) {
    if (source.is_sequence()) {
      for (const YamlNode& item : source.items) merge(node, item);
      return;
    }
    if (!source.is_mapping())
      return fail(source.line, source.column, "\"<<\" takes a mapping or a list of mappings");
    for (size_t i = 0; i + 1 < source.items.size(); i += 2) {
      if (node.find(source.items[i].text)) continue;
      node.items.push_back(source.items[i]);
      node.items.push_back(source.items[i + 1]);
    }
  }

  struct Anchor {
    YamlNode node;
    size_t count = 0;
  };
  std::unique_ptr<fy_diag, DiagDeleter> diag_;
  std::unique_ptr<fy_parser, ParserDeleter> parser_;
  std::unordered_map<std::string, Anchor> anchors_;
  size_t nodes_ = 0;
  YamlDocuments result_;
};

}  // namespace

YamlDocuments parse_yaml(std::string_view text) {
  return Composer(text).compose();
}

const YamlNode* YamlNode::find(std::string_view key) const {
  if (!is_mapping()) return nullptr;
  for (size_t i = 0; i + 1 < items.size(); i += 2)
    if (items[i].text == key) return &items[i + 1];
  return nullptr;
}

std::string YamlNode::description() const {
  if (is_sequence()) return "a list";
  if (is_mapping()) return "a mapping";
  switch (type()) {
    case Type::Null:
      return "nothing";
    case Type::Boolean:
      return fmt::format("the boolean {}", text);
    case Type::Integer:
    case Type::Float:
      return fmt::format("the number {}", text);
    case Type::String:
      break;
  }
  return fmt::format("the text \"{}\"", text);
}

}  // namespace sennit::mesh

#include "proxy/config/yaml.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <libfyaml.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>

namespace sennit::proxy {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

struct DocumentDeleter {
  void operator()(fy_document* document) const { fy_document_destroy(document); }
};
struct DiagDeleter {
  void operator()(fy_diag* diag) const { fy_diag_destroy(diag); }
};

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

bool is_json_number(std::string_view text) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t begin = i;
    while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i]))) ++i;
    return i - begin;
  };
  if (i < text.size() && text[i] == '-') ++i;
  if (digits() == 0) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() == 0) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

// Messages whose JSON form is not an object of their fields.
bool has_json_form_of_its_own(const Descriptor& type) {
  return type.full_name().starts_with("google.protobuf.") &&
         type.full_name() != "google.protobuf.Any";
}

const FieldDescriptor* find_field(const Descriptor& type, std::string_view name) {
  const std::string key(name);
  if (const auto* field = type.FindFieldByName(key)) return field;
  if (const auto* field = type.FindFieldByCamelcaseName(key)) return field;
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == key) return type.field(i);
  }
  return nullptr;
}

std::string_view scalar(fy_node* node) {
  size_t length = 0;
  const char* text = node ? fy_node_get_scalar(node, &length) : nullptr;
  return text ? std::string_view(text, length) : std::string_view();
}

// Writes a YAML tree as JSON, checking names against the message type on the way (where one is
// known: inside a google.protobuf.Struct everything goes).
class Converter {
 public:
  explicit Converter(const std::string& source) : source_(source) {}

  Result<std::string> convert(fy_node* root, const Descriptor& type) {
    value(root, &type, nullptr, "", 0);
    if (error_) return std::unexpected(*error_);
    return std::move(out_);
  }

 private:
  void fail_at(fy_node* node, const std::string& path, const std::string& message) {
    if (error_) return;
    const fy_mark* mark = nullptr;
    if (fy_token* token = fy_node_get_scalar_token(node)) mark = fy_token_start_mark(token);
    const std::string where =
        mark ? fmt::format("{}:{}:{}", source_, mark->line + 1, mark->column + 1) : source_;
    error_ = Error{path.empty() ? fmt::format("{}: {}", where, message)
                                : fmt::format("{}: {}: {}", where, path, message)};
  }

  void value(fy_node* node, const Descriptor* type, const FieldDescriptor* field,
             const std::string& path, int depth) {
    if (error_) return;
    if (depth > kMaxYamlDepth) {
      return fail_at(node, path, fmt::format("nested deeper than {} levels", kMaxYamlDepth));
    }
    if (!node || fy_node_is_scalar(node)) return scalar_value(node);
    if (fy_node_is_sequence(node)) return sequence(node, type, field, path, depth);
    if (field && field->is_repeated() && !field->is_map()) {
      return fail_at(first_key(node), path, "is a list, but a mapping is given");
    }
    mapping(node, type, field, path, depth);
  }

  static fy_node* first_key(fy_node* mapping) {
    void* position = nullptr;
    fy_node_pair* pair = fy_node_mapping_iterate(mapping, &position);
    return pair ? fy_node_pair_key(pair) : mapping;
  }

  void scalar_value(fy_node* node) {
    const std::string_view text = scalar(node);
    const bool plain = !node || fy_node_get_style(node) == FYNS_PLAIN;
    if (!plain) return append_quoted(out_, text);
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
      out_ += "null";
    } else if (text == "true" || text == "True" || text == "TRUE") {
      out_ += "true";
    } else if (text == "false" || text == "False" || text == "FALSE") {
      out_ += "false";
    } else if (is_json_number(text)) {
      out_ += text;
    } else {
      append_quoted(out_, text);
    }
  }

  void sequence(fy_node* node, const Descriptor* type, const FieldDescriptor* field,
                const std::string& path, int depth) {
    const bool own_form = type && has_json_form_of_its_own(*type);
    const bool refused = field ? !field->is_repeated() && !own_form : type && !own_form;
    if (refused) return fail_at(node, path, "is not a list, but a list is given");
    out_ += '[';
    void* position = nullptr;
    for (size_t i = 0; fy_node* item = fy_node_sequence_iterate(node, &position); ++i) {
      if (i > 0) out_ += ',';
      value(item, type, nullptr, fmt::format("{}[{}]", path, i), depth + 1);
    }
    out_ += ']';
  }

  // The type that the mapping's keys are fields of; nullptr: anything goes.
  const Descriptor* any_type(fy_node* node, const std::string& path) {
    // By hand: the library's look-up parses the key, and "@" cannot begin a plain one.
    fy_node* url_node = nullptr;
    void* position = nullptr;
    while (fy_node_pair* pair = fy_node_mapping_iterate(node, &position)) {
      if (scalar(fy_node_pair_key(pair)) == "@type") url_node = fy_node_pair_value(pair);
    }
    const std::string url(scalar(url_node));
    if (url.empty()) {
      fail_at(first_key(node), path, "an Any needs its type in \"@type\"");
      return nullptr;
    }
    const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
        url.substr(url.rfind('/') + 1));
    if (!type) fail_at(url_node, path, fmt::format("unknown type URL \"{}\"", url));
    return type;
  }

  void mapping(fy_node* node, const Descriptor* type, const FieldDescriptor* field,
               const std::string& path, int depth) {
    const bool is_map = field && field->is_map();
    if (!is_map && type && type->full_name() == "google.protobuf.Any") type = any_type(node, path);
    if (!is_map && type && has_json_form_of_its_own(*type)) type = nullptr;
    out_ += '{';
    void* position = nullptr;
    bool first = true;
    while (fy_node_pair* pair = fy_node_mapping_iterate(node, &position)) {
      if (error_) return;
      fy_node* key = fy_node_pair_key(pair);
      const std::string name(scalar(key));
      if (!first) out_ += ',';
      first = false;
      append_quoted(out_, name);
      out_ += ':';
      if (is_map) {
        value(fy_node_pair_value(pair), field->message_type()->map_value()->message_type(), nullptr,
              fmt::format("{}[{}]", path, name), depth + 1);
      } else {
        member(key, name, fy_node_pair_value(pair), type, path, depth);
      }
    }
    out_ += '}';
  }

  void member(fy_node* key, const std::string& name, fy_node* node, const Descriptor* type,
              const std::string& path, int depth) {
    const std::string child = path.empty() ? name : fmt::format("{}.{}", path, name);
    if (!type || name == "@type") return value(node, nullptr, nullptr, child, depth + 1);
    const FieldDescriptor* field = find_field(*type, name);
    if (!field) {
      return fail_at(key, child, fmt::format("no such field in {}", type->full_name()));
    }
    value(node, field->message_type(), field, child, depth + 1);
  }

  const std::string& source_;
  std::string out_;
  std::optional<Error> error_;
};

Error syntax_error(fy_diag* diag, const std::string& source) {
  void* position = nullptr;
  const fy_diag_error* error = fy_diag_errors_iterate(diag, &position);
  if (!error) return Error{fmt::format("{}: is neither YAML nor JSON", source)};
  return Error{fmt::format("{}:{}:{}: is neither YAML nor JSON: {}", source, error->line,
                           error->column, error->msg)};
}

}  // namespace

Status parse_yaml_into(std::string_view text, const std::string& source,
                       google::protobuf::Message& message) {
  fy_diag_cfg diag_config;
  fy_diag_cfg_default(&diag_config);
  std::unique_ptr<fy_diag, DiagDeleter> diag(fy_diag_create(&diag_config));
  fy_diag_set_collect_errors(diag.get(), true);
  fy_parse_cfg config{};
  config.flags = static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_COLLECT_DIAG |
                                                 FYPCF_RESOLVE_DOCUMENT | FYPCF_JSON_NONE);
  config.diag = diag.get();
  std::unique_ptr<fy_document, DocumentDeleter> document(
      fy_document_build_from_string(&config, text.data(), text.size()));
  if (!document) {
    return std::unexpected(syntax_error(diag.get(), source));
  }
  fy_node* root = fy_document_root(document.get());
  if (!root || !fy_node_is_mapping(root)) {
    return fail("{}: must be a mapping (an object) of {}", source,
                message.GetDescriptor()->full_name());
  }
  auto json = Converter(source).convert(root, *message.GetDescriptor());
  if (!json) return std::unexpected(json.error());
  std::unique_ptr<google::protobuf::Message> parsed(message.New());
  const auto status = google::protobuf::util::JsonStringToMessage(*json, parsed.get());
  if (!status.ok()) {
    return fail("{}: {}", source,
                std::string_view(status.message().data(), status.message().size()));
  }
  message.MergeFrom(*parsed);
  return {};
}

Result<std::string> to_json(const google::protobuf::Message& message, bool pretty,
                            bool with_defaults) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = pretty;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = with_defaults;
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out, options);
  if (!status.ok()) {
    return fail("{}: {}", message.GetDescriptor()->full_name(),
                std::string_view(status.message().data(), status.message().size()));
  }
  return out;
}

}  // namespace sennit::proxy

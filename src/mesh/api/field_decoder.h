// Fills a protobuf message from a YAML tree by its schema. Strict: what is not known, has the wrong
// type or does not fit is an error at its position; the rest is still decoded, so that one reading
// finds all mistakes.
#pragma once

#include <google/protobuf/message.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mesh/api/resource.h"
#include "mesh/api/schema.h"
#include "mesh/api/yaml.h"

namespace sennit::mesh {

using Positions = std::map<std::string, std::pair<int, int>>;

class FieldDecoder {
 public:
  // `resource` is the display name that messages carry, may be empty.
  FieldDecoder(std::string file, std::string resource, std::vector<Diagnostic>& diagnostics)
      : file_(std::move(file)), resource_(std::move(resource)), diagnostics_(diagnostics) {}

  // `path` is the path of `message` itself: "" for the spec.
  void decode(const YamlNode& node, google::protobuf::Message& message, const std::string& path);

  // A text where a string is wanted; booleans and numbers must be quoted. Nothing after an error.
  std::optional<std::string> text(const YamlNode& node, const std::string& path);
  // A mapping of strings; bad entries are told of and left out.
  std::map<std::string, std::string> text_map(const YamlNode& node, const std::string& path);

  void error(const YamlNode& at, const std::string& path, std::string message) {
    report(Diagnostic::Level::Error, at, path, std::move(message));
    ++errors_;
  }
  void warning(const YamlNode& at, const std::string& path, std::string message) {
    report(Diagnostic::Level::Warning, at, path, std::move(message));
  }
  void report(Diagnostic::Level level, const YamlNode& at, const std::string& path,
              std::string message);

  int errors() const { return errors_; }
  Positions take_positions() { return std::move(positions_); }

 private:
  using Field = google::protobuf::FieldDescriptor;
  using Message = google::protobuf::Message;

  void decode_field(const YamlNode& key, const YamlNode& value, const FieldSchema& schema,
                    Message& message, const std::string& path);
  void warn_of_status(const YamlNode& key, const FieldSchema& schema, const std::string& path);
  bool oneof_is_free(const YamlNode& key, const Field* field, const Message& message,
                     const std::string& path);
  void decode_list(const YamlNode& key, const YamlNode& value, const FieldSchema& schema,
                   Message& message, const std::string& path);
  void decode_map(const YamlNode& key, const YamlNode& value, const Field* field, Message& message,
                  const std::string& path);
  bool decode_map_key(const YamlNode& key, const Field* field, Message& entry,
                      const std::string& path);
  // Sets the field, or appends to it where it is repeated. False after an error.
  bool decode_value(const YamlNode& at, const YamlNode& value, const Field* field, Message& message,
                    const std::string& path);
  bool decode_scalar(const YamlNode& at, const YamlNode& value, const Field* field,
                     Message& message, const std::string& path);
  bool decode_integer(const YamlNode& at, const YamlNode& value, const Field* field,
                      Message& message, const std::string& path);
  bool decode_text(const YamlNode& at, const YamlNode& value, const Field* field, Message& message,
                   const std::string& path);
  bool decode_enum(const YamlNode& at, const YamlNode& value, const Field* field, Message& message,
                   const std::string& path);
  bool decode_submessage(const YamlNode& at, const YamlNode& value, const Field* field,
                         Message& message, const std::string& path);
  void unknown_field(const YamlNode& key, const MessageSchema& schema, const std::string& path);

  std::string file_, resource_;
  std::vector<Diagnostic>& diagnostics_;
  Positions positions_;
  int errors_ = 0;
  bool inside_refused_ = false;  // the field above was already warned of
};

}  // namespace sennit::mesh

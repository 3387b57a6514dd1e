#include "proxy/route/header_operations.h"

#include <algorithm>

#include "proxy/match/field_path.h"
#include "proxy/match/string_matcher.h"

namespace sennit::proxy {
namespace {

using Option = envoy::config::core::v3::HeaderValueOption;

bool is_protected(std::string_view name) {
  return name.starts_with(':') || name == "host";
}

bool present(const http::HeaderMap& headers, http::HeaderId id, const std::string& name) {
  return id != http::HeaderId::None ? headers.has(id) : headers.get(name).has_value();
}

}  // namespace

HeaderOperations::Name HeaderOperations::make_name(std::string_view name) {
  Name result;
  result.text = to_lower(name);
  result.id = http::header_id(result.text);
  return result;
}

Result<HeaderOperations::Addition> HeaderOperations::make_addition(const Option& option) {
  Addition addition;
  addition.name = make_name(option.header().key());
  if (addition.name.text.empty()) return fail("header.key: is required");
  addition.keep_empty = option.keep_empty_value();
  switch (option.append_action()) {
    case Option::ADD_IF_ABSENT:
      addition.action = Action::AddIfAbsent;
      break;
    case Option::OVERWRITE_IF_EXISTS_OR_ADD:
      addition.action = Action::Overwrite;
      break;
    case Option::OVERWRITE_IF_EXISTS:
      addition.action = Action::OverwriteIfExists;
      break;
    default:
      addition.action = Action::Append;
      break;
  }
  if (option.has_append())
    addition.action = option.append().value() ? Action::Append : Action::Overwrite;
  if (is_protected(addition.name.text) &&
      (addition.action == Action::Append || addition.name.text == "host")) {
    return fail("header.key: {} may only be overwritten, and host by its name :authority",
                addition.name.text);
  }
  const std::string& value =
      option.header().raw_value().empty() ? option.header().value() : option.header().raw_value();
  if (value.find('%') == std::string::npos) {
    addition.value = value;
    return addition;
  }
  auto formatter = Formatter::create(value, MissingValue::Omit);
  if (!formatter) return std::unexpected(in_field(formatter.error(), "header.value"));
  addition.formatter = *std::move(formatter);
  return addition;
}

Result<std::shared_ptr<const HeaderOperations>> HeaderOperations::create(const Additions& additions,
                                                                         const Removals& removals,
                                                                         std::string_view what) {
  if (additions.empty() && removals.empty()) return nullptr;
  auto operations = std::make_shared<HeaderOperations>();
  for (int i = 0; i < removals.size(); ++i) {
    Name name = make_name(removals[i]);
    if (is_protected(name.text)) {
      return fail("{}_to_remove[{}]: {} may not be removed", what, i, name.text);
    }
    operations->removals_.push_back(std::move(name));
  }
  for (int i = 0; i < additions.size(); ++i) {
    auto addition = make_addition(additions[i]);
    if (!addition) {
      return std::unexpected(in_field(addition.error(), fmt::format("{}_to_add[{}]", what, i)));
    }
    operations->additions_.push_back(*std::move(addition));
  }
  std::ranges::stable_partition(operations->additions_, [](const Addition& addition) {
    return addition.action == Action::Overwrite || addition.action == Action::OverwriteIfExists;
  });
  return operations;
}

Result<std::shared_ptr<const HeaderOperations>> HeaderOperations::create_one(const Option& option) {
  auto addition = make_addition(option);
  if (!addition) return std::unexpected(addition.error());
  auto operations = std::make_shared<HeaderOperations>();
  operations->additions_.push_back(*std::move(addition));
  return operations;
}

void HeaderOperations::apply_addition(const Addition& addition, http::HeaderMap& headers,
                                      const StreamInfo& info, const http::HeaderMap* request,
                                      const http::HeaderMap* response) {
  const auto id = addition.name.id;
  const bool needs_presence =
      addition.action == Action::AddIfAbsent || addition.action == Action::OverwriteIfExists;
  if (needs_presence &&
      present(headers, id, addition.name.text) == (addition.action == Action::AddIfAbsent)) {
    return;
  }
  std::string formatted;
  if (addition.formatter) addition.formatter->format(formatted, info, request, response, nullptr);
  const std::string& value = addition.formatter ? formatted : addition.value;
  if (value.empty() && !addition.keep_empty) return;
  const bool overwrite =
      addition.action == Action::Overwrite || addition.action == Action::OverwriteIfExists;
  if (id == http::HeaderId::None) {
    return overwrite ? headers.set(addition.name.text, value)
                     : headers.add(addition.name.text, value);
  }
  return overwrite ? headers.set(id, value) : headers.add(id, value);
}

void HeaderOperations::apply(http::HeaderMap& headers, const StreamInfo& info,
                             const http::HeaderMap* request,
                             const http::HeaderMap* response) const {
  for (const Name& name : removals_) {
    name.id == http::HeaderId::None ? headers.remove(name.text) : headers.remove(name.id);
  }
  for (const Addition& addition : additions_) {
    apply_addition(addition, headers, info, request, response);
  }
}

}  // namespace sennit::proxy

#include "mesh/model/delegate.h"

#include <algorithm>

namespace sennit::mesh {

namespace {

namespace api = sennit::istio::v1;
using google::protobuf::Map;

bool conflict(const api::StringMatch& root, const api::StringMatch& leaf) {
  if (root.match_type_case() == api::StringMatch::MATCH_TYPE_NOT_SET ||
      leaf.match_type_case() == api::StringMatch::MATCH_TYPE_NOT_SET) {
    return false;
  }
  if (root.has_regex() || leaf.has_regex()) return true;
  if (root.has_exact()) return !leaf.has_exact() || leaf.exact() != root.exact();
  return !(leaf.has_exact() ? leaf.exact() : leaf.prefix()).starts_with(root.prefix());
}

bool conflict(const Map<std::string, api::StringMatch>& root,
              const Map<std::string, api::StringMatch>& leaf) {
  return std::ranges::any_of(leaf, [&](const auto& entry) {
    auto found = root.find(entry.first);
    return found != root.end() && conflict(found->second, entry.second);
  });
}

bool conflict(const api::HTTPMatchRequest& root, const api::HTTPMatchRequest& leaf) {
  if (conflict(root.uri(), leaf.uri()) || conflict(root.scheme(), leaf.scheme()) ||
      conflict(root.method(), leaf.method()) || conflict(root.authority(), leaf.authority()) ||
      conflict(root.headers(), leaf.headers()) ||
      conflict(root.without_headers(), leaf.without_headers()) ||
      conflict(root.query_params(), leaf.query_params())) {
    return true;
  }
  if (root.has_uri() && leaf.has_uri() && root.ignore_uri_case() != leaf.ignore_uri_case()) {
    return true;
  }
  if (root.port() != 0 && leaf.port() != 0 && root.port() != leaf.port()) return true;
  if (!root.source_namespace().empty() && !leaf.source_namespace().empty() &&
      root.source_namespace() != leaf.source_namespace()) {
    return true;
  }
  for (const auto& [key, value] : leaf.source_labels()) {
    auto found = root.source_labels().find(key);
    if (found != root.source_labels().end() && found->second != value) return true;
  }
  if (root.gateways().empty() || leaf.gateways().empty()) return false;
  return !std::ranges::all_of(leaf.gateways(), [&](const std::string& gateway) {
    return std::ranges::find(root.gateways(), gateway) != root.gateways().end();
  });
}

template <typename Entries>
void take_missing(const Entries& from, Entries& into) {
  for (const auto& [key, value] : from) into.insert({key, value});
}

std::string joined(const std::string& root, const std::string& leaf) {
  if (root.empty() || leaf.empty()) return root + leaf;
  return root + "-" + leaf;
}

api::HTTPMatchRequest merge(const api::HTTPMatchRequest& root, const api::HTTPMatchRequest& leaf) {
  api::HTTPMatchRequest out = leaf;
  out.set_name(joined(root.name(), leaf.name()));
  if (!out.has_uri() && root.has_uri()) {
    *out.mutable_uri() = root.uri();
    out.set_ignore_uri_case(root.ignore_uri_case());
  }
  if (!out.has_scheme() && root.has_scheme()) *out.mutable_scheme() = root.scheme();
  if (!out.has_method() && root.has_method()) *out.mutable_method() = root.method();
  if (!out.has_authority() && root.has_authority()) *out.mutable_authority() = root.authority();
  take_missing(root.headers(), *out.mutable_headers());
  take_missing(root.without_headers(), *out.mutable_without_headers());
  take_missing(root.query_params(), *out.mutable_query_params());
  take_missing(root.source_labels(), *out.mutable_source_labels());
  if (out.port() == 0) out.set_port(root.port());
  if (out.source_namespace().empty()) out.set_source_namespace(root.source_namespace());
  if (out.gateways().empty()) *out.mutable_gateways() = root.gateways();
  if (out.stat_prefix().empty()) out.set_stat_prefix(root.stat_prefix());
  return out;
}

}  // namespace

std::optional<api::HTTPRoute> merge_delegate(const api::HTTPRoute& root,
                                             const api::HTTPRoute& leaf) {
  api::HTTPRoute out = leaf;
  out.clear_match();
  if (root.match().empty()) {
    *out.mutable_match() = leaf.match();
  } else if (leaf.match().empty()) {
    *out.mutable_match() = root.match();
  } else {
    for (const auto& outer : root.match()) {
      for (const auto& inner : leaf.match()) {
        if (!conflict(outer, inner)) *out.add_match() = merge(outer, inner);
      }
    }
    if (out.match().empty()) return std::nullopt;
  }
  out.set_name(joined(root.name(), leaf.name()));
  if (!out.has_rewrite() && root.has_rewrite()) *out.mutable_rewrite() = root.rewrite();
  if (!out.has_timeout() && root.has_timeout()) *out.mutable_timeout() = root.timeout();
  if (!out.has_retries() && root.has_retries()) *out.mutable_retries() = root.retries();
  if (!out.has_fault() && root.has_fault()) *out.mutable_fault() = root.fault();
  if (!out.has_mirror() && root.has_mirror()) *out.mutable_mirror() = root.mirror();
  if (!out.has_mirror_percentage() && root.has_mirror_percentage()) {
    *out.mutable_mirror_percentage() = root.mirror_percentage();
  }
  if (out.mirrors().empty()) *out.mutable_mirrors() = root.mirrors();
  if (!out.has_cors_policy() && root.has_cors_policy()) {
    *out.mutable_cors_policy() = root.cors_policy();
  }
  if (!out.has_headers() && root.has_headers()) *out.mutable_headers() = root.headers();
  return out;
}

}  // namespace sennit::mesh

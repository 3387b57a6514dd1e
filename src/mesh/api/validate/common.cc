#include "mesh/api/validate/common.h"

#include <arpa/inet.h>
#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "mesh/api/duration.h"
#include "mesh/api/metadata.h"

namespace sennit::mesh {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// The number of bits of the address, 0 where it is none.
int address_bits(std::string_view text) {
  unsigned char bytes[16];
  const std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), bytes) == 1) return 32;
  if (inet_pton(AF_INET6, copy.c_str(), bytes) == 1) return 128;
  return 0;
}

void check_match_labels(Checker& checker, const std::string& field, const StringMap& labels) {
  check_labels(checker, field, labels);
  for (const auto& [key, value] : labels)
    if (value.find('*') != std::string::npos || key.find('*') != std::string::npos)
      checker.error(keyed(field, key), "wildcards are not supported in a selector");
}

}  // namespace

std::string at(std::string_view list, int index) {
  return fmt::format("{}[{}]", list, index);
}
std::string below(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}
std::string keyed(std::string_view map, std::string_view key) {
  return fmt::format("{}[{}]", map, key);
}

bool is_ip_address(std::string_view text) {
  return address_bits(text) != 0;
}

bool is_ip_or_cidr(std::string_view text) {
  const size_t slash = text.find('/');
  const int bits = address_bits(text.substr(0, slash));
  if (bits == 0 || slash == std::string_view::npos) return bits != 0;
  const std::string_view length = text.substr(slash + 1);
  int prefix = -1;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), prefix);
  return error == std::errc() && end == length.data() + length.size() && prefix >= 0 &&
         prefix <= bits;
}

bool is_fqdn(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);  // a name from the root
  const std::string folded = lower(name);
  std::string_view rest = folded;
  if (folded.empty() || folded.size() > 255) return false;
  while (true) {
    const size_t dot = rest.find('.');
    if (!is_dns_label(rest.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    rest.remove_prefix(dot + 1);
  }
}

bool is_wildcard_domain(std::string_view name) {
  if (name == "*") return true;
  if (name.starts_with("*.")) name.remove_prefix(2);
  return is_fqdn(name);
}

bool is_header_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

void check_port(Checker& checker, const std::string& field, uint32_t port) {
  if (port == 0 || port > kMaxPort)
    checker.error(field, "{} is no port; write 1 to {}", port, kMaxPort);
}

void check_duration(Checker& checker, const std::string& field,
                    const google::protobuf::Duration& duration) {
  const auto length = to_nanoseconds(duration);
  if (length < std::chrono::milliseconds(1))
    return checker.error(field, "{} is too short; the least is 1ms", duration_text(length));
  if (length % std::chrono::milliseconds(1) != std::chrono::nanoseconds(0))
    checker.error(field, "{} is not in whole milliseconds", duration_text(length));
}

void check_percent(Checker& checker, const std::string& field, double percent) {
  if (!(percent >= 0 && percent <= 100))
    checker.error(field, "{} is no percentage; write 0 to 100", percent);
}

void check_regex(Checker& checker, const std::string& field, const std::string& pattern) {
  if (pattern.size() > kMaxRegex)
    return checker.error(field, "the regular expression is longer than {} bytes", kMaxRegex);
  const re2::RE2 regex(pattern, re2::RE2::Quiet);
  if (!regex.ok())
    checker.error(field, "\"{}\" is not an RE2 expression: {}", pattern, regex.error());
}

void check_not_negative(Checker& checker, const std::string& field, int64_t value) {
  if (value < 0) checker.error(field, "{} is negative; write 0 or more", value);
}

void check_string_match(Checker& checker, const std::string& field,
                        const istio::v1::StringMatch& match) {
  if (match.has_regex()) check_regex(checker, below(field, "regex"), match.regex());
}

void check_export_to(Checker& checker, const StringList& export_to) {
  bool all = false, none = false;
  for (int i = 0; i < export_to.size(); ++i) {
    const std::string& target = export_to[i];
    all |= target == "*";
    none |= target == "~";
    if (target != "." && target != "*" && target != "~" && !is_dns_label(target))
      checker.error(at("exportTo", i),
                    "\"{}\" is no namespace; write a name, \".\" (this one), "
                    "\"*\" (all) or \"~\" (none)",
                    target);
    if (std::count(export_to.begin(), export_to.begin() + i, target) > 0)
      checker.error(at("exportTo", i), "\"{}\" is there twice; remove one", target);
  }
  if (all && export_to.size() > 1)
    checker.error("exportTo", "\"*\" already means every namespace; remove the others");
  if (none && export_to.size() > 1)
    checker.error("exportTo", "\"~\" (none) cannot stand beside others");
}

void check_labels(Checker& checker, const std::string& field, const StringMap& labels) {
  for (const auto& [key, value] : labels) {
    if (value.find('*') != std::string::npos) continue;  // told of where it matters
    if (const std::string problem = label_problem(key, value); !problem.empty())
      checker.error(keyed(field, key), "{}", problem);
  }
}

void check_selector(Checker& checker, const istio::v1::WorkloadSelector& selector) {
  const std::string field =
      checker.written("workloadSelector") ? "workloadSelector.matchLabels" : "selector.matchLabels";
  check_match_labels(checker, field, selector.match_labels());
}

void check_selector(Checker& checker, const istio::v1::NetworkingWorkloadSelector& selector) {
  check_match_labels(checker, "workloadSelector.labels", selector.labels());
}

bool is_known_protocol(std::string_view protocol) {
  static constexpr std::string_view kProtocols[] = {
      "tcp",   "udp", "grpc",  "grpc-web", "http",  "http_proxy", "http2",
      "https", "tls", "mongo", "redis",    "mysql", "hbone",      "double-hbone"};
  return std::ranges::count(kProtocols, lower(protocol)) > 0;
}

void check_port_definition(Checker& checker, const std::string& field,
                           const istio::v1::Port& port) {
  check_port(checker, below(field, "number"), port.number());
  if (!port.protocol().empty() && !is_known_protocol(port.protocol()))
    checker.error(below(field, "protocol"),
                  "\"{}\" is no protocol; write HTTP, HTTPS, HTTP2, GRPC, "
                  "GRPC-Web, MONGO, MYSQL, REDIS, TCP, TLS or UDP",
                  port.protocol());
  if (!port.name().empty() && !is_dns_label(lower(port.name())))
    checker.error(below(field, "name"), "\"{}\" is no port name; write letters, digits and \"-\"",
                  port.name());
  if (port.target_port() != 0) check_port(checker, below(field, "targetPort"), port.target_port());
}

void check_no_empty_item(Checker& checker, const std::string& field, const StringList& list) {
  for (int i = 0; i < list.size(); ++i)
    if (list[i].empty()) checker.error(at(field, i), "is empty; write a value or remove it");
}

void check_scoped_host(Checker& checker, const std::string& field, std::string_view host,
                       bool namespace_required) {
  const size_t slash = host.find('/');
  if (slash == std::string_view::npos && namespace_required)
    return checker.error(field,
                         "\"{}\" must have the form NAMESPACE/HOST; \"./{}\" is the own "
                         "namespace, \"*/{}\" any",
                         host, host, host);
  const std::string_view name = slash == std::string_view::npos ? host : host.substr(slash + 1);
  const std::string_view scope = slash == std::string_view::npos ? "*" : host.substr(0, slash);
  const bool none_allowed = namespace_required;  // Sidecars only
  if (scope != "*" && scope != "." && !(none_allowed && scope == "~") && !is_dns_label(scope))
    checker.error(field, "\"{}\" is no namespace; write a name, \".\" or \"*\"", scope);
  if (!is_wildcard_domain(name) && !is_ip_address(name))
    checker.error(field,
                  "\"{}\" is no host name; write one such as reviews.default.svc."
                  "cluster.local, *.example.com or *",
                  name);
}

void check_target_reference(Checker& checker, const std::string& field,
                            const istio::v1::PolicyTargetReference& reference) {
  if (reference.name().empty()) checker.error(field, "needs a \"name\"");
  static constexpr std::pair<std::string_view, std::string_view> kTargets[] = {
      {"gateway.networking.k8s.io", "Gateway"},
      {"gateway.networking.k8s.io", "GatewayClass"},
      {"", "Service"},
      {"core", "Service"},
      {"networking.istio.io", "ServiceEntry"}};
  if (!std::ranges::count(kTargets, std::pair<std::string_view, std::string_view>(
                                        reference.group(), reference.kind())))
    checker.error(field,
                  "{}/{} cannot be a target; it must be a Gateway or GatewayClass of "
                  "gateway.networking.k8s.io, a Service, or a ServiceEntry of networking.istio.io",
                  reference.group(), reference.kind());
  if (!reference.namespace_().empty() && reference.namespace_() != checker.resource().namespace_)
    checker.error(below(field, "namespace"), "must be the policy's own namespace or left out");
}

}  // namespace sennit::mesh

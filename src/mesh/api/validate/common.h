// Checks that several kinds share: names, ports, addresses, durations, selectors. Those that answer
// a text say what is wrong; empty is well.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/map.h>
#include <google/protobuf/repeated_field.h>

#include <string>
#include <string_view>

#include "mesh/api/checker.h"
#include "mesh/api/istio/common.pb.h"

namespace sennit::mesh {

using StringList = google::protobuf::RepeatedPtrField<std::string>;
using StringMap = google::protobuf::Map<std::string, std::string>;

inline constexpr uint32_t kMaxPort = 65535;
inline constexpr size_t kMaxRegex = 1024;  // Istio's bound, for RE2's sake

std::string at(std::string_view list, int index);                 // "http[3]"
std::string below(std::string_view path, std::string_view name);  // "http[3].route"
std::string keyed(std::string_view map, std::string_view key);    // "headers[x-user]"

bool is_ip_address(std::string_view text);
bool is_ip_or_cidr(std::string_view text);
bool is_fqdn(std::string_view name);             // letters of either case
bool is_wildcard_domain(std::string_view name);  // "*", "*.example.com" or an FQDN
bool is_header_name(std::string_view name);      // an RFC 9110 token

void check_port(Checker& checker, const std::string& field, uint32_t port);
// At least 1 ms, whole milliseconds.
void check_duration(Checker& checker, const std::string& field,
                    const google::protobuf::Duration& duration);
void check_percent(Checker& checker, const std::string& field, double percent);
void check_regex(Checker& checker, const std::string& field, const std::string& pattern);
void check_not_negative(Checker& checker, const std::string& field, int64_t value);
void check_string_match(Checker& checker, const std::string& field,
                        const istio::v1::StringMatch& match);
void check_export_to(Checker& checker, const StringList& export_to);
void check_labels(Checker& checker, const std::string& field, const StringMap& labels);
void check_selector(Checker& checker, const istio::v1::WorkloadSelector& selector);
// Of the older kinds: `workloadSelector.labels`.
void check_selector(Checker& checker, const istio::v1::NetworkingWorkloadSelector& selector);
// A port of Gateway, ServiceEntry or Sidecar: number, protocol and name.
void check_port_definition(Checker& checker, const std::string& field, const istio::v1::Port& port);
bool is_known_protocol(std::string_view protocol);
void check_no_empty_item(Checker& checker, const std::string& field, const StringList& list);
// "ns/host", "*/host", "./host" (and "~/host" for Sidecars), or a host alone where that is allowed.
void check_scoped_host(Checker& checker, const std::string& field, std::string_view host,
                       bool namespace_required);

// Policies attach by selector or by reference, not both.
template <typename Policy>
void check_attachment(Checker& checker, const Policy& policy);
void check_target_reference(Checker& checker, const std::string& field,
                            const istio::v1::PolicyTargetReference& reference);

template <typename Policy>
void check_attachment(Checker& checker, const Policy& policy) {
  bool one = false;
  if constexpr (requires { policy.has_target_ref(); }) {
    one = policy.has_target_ref();
    if (one) check_target_reference(checker, "targetRef", policy.target_ref());
    if (one && policy.target_refs_size() > 0)
      checker.error("targetRef", "cannot stand beside targetRefs; move it into the list");
  }
  if (policy.has_selector() && (one || policy.target_refs_size() > 0))
    checker.error("selector", "cannot stand beside targetRefs; choose one of them");
  for (int i = 0; i < policy.target_refs_size(); ++i)
    check_target_reference(checker, at("targetRefs", i), policy.target_refs(i));
  if (policy.has_selector()) check_selector(checker, policy.selector());
}

}  // namespace sennit::mesh

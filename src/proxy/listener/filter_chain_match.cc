#include "proxy/listener/filter_chain_match.h"

#include <algorithm>

#include "proxy/match/string_matcher.h"

namespace sennit::proxy {
namespace {

using envoy::config::listener::v3::FilterChainMatch;
using Ranges = google::protobuf::RepeatedPtrField<envoy::config::core::v3::CidrRange>;

// How specific a match is: kNoMatch drops the rule, kUnset is a rule that does not ask, more is
// more specific.
constexpr int kNoMatch = -1, kUnset = 0;

Result<std::vector<net::Cidr>> read_ranges(const Ranges& ranges, std::string_view field) {
  std::vector<net::Cidr> out;
  for (int i = 0; i < ranges.size(); ++i) {
    auto range = net::Cidr::parse(ranges[i].address_prefix(), ranges[i].prefix_len().value());
    if (!range) return std::unexpected(range.error().within(fmt::format("{}[{}]", field, i)));
    out.push_back(*range);
  }
  return out;
}

int match_ranges(const std::vector<net::Cidr>& ranges, const net::Address& address) {
  if (ranges.empty()) return kUnset;
  int best = kNoMatch;
  for (const auto& range : ranges) {
    if (range.contains(address)) best = std::max(best, static_cast<int>(range.prefix_length()) + 1);
  }
  return best;
}

int match_server_name(const std::vector<std::string>& names, std::string_view name) {
  if (names.empty()) return kUnset;
  constexpr int kExact = 1 << 20;  // above any suffix
  int best = kNoMatch;
  for (const auto& wanted : names) {
    if (wanted == name) return kExact;
    const bool suffix =
        wanted.starts_with('.') && name.size() > wanted.size() && name.ends_with(wanted);
    if (suffix) best = std::max(best, static_cast<int>(wanted.size()));
  }
  return best;
}

// The client's first protocol that any rule knows decides: earlier ones weigh more.
int match_protocols(const std::vector<std::string>& wanted,
                    const std::vector<std::string>& offered) {
  if (wanted.empty()) return kUnset;
  for (size_t i = 0; i < offered.size(); ++i) {
    if (std::ranges::find(wanted, offered[i]) != wanted.end()) {
      return static_cast<int>(offered.size() - i);
    }
  }
  return kNoMatch;
}

bool is_local(const ConnectionFacts& facts) {
  return facts.source.is_loopback() || facts.source.family() == AF_UNIX ||
         facts.source.with_port(0) == facts.destination.with_port(0);
}

}  // namespace

Status FilterChainMatcher::add(const FilterChainMatch& match) {
  Rule rule;
  if (match.has_destination_port()) {
    if (match.destination_port().value() > 65535) return fail("destination_port: is above 65535");
    rule.destination_port = static_cast<uint16_t>(match.destination_port().value());
  }
  auto destinations = read_ranges(match.prefix_ranges(), "prefix_ranges");
  if (!destinations) return std::unexpected(destinations.error());
  auto direct = read_ranges(match.direct_source_prefix_ranges(), "direct_source_prefix_ranges");
  if (!direct) return std::unexpected(direct.error());
  auto sources = read_ranges(match.source_prefix_ranges(), "source_prefix_ranges");
  if (!sources) return std::unexpected(sources.error());
  rule.destinations = std::move(*destinations);
  rule.direct_sources = std::move(*direct);
  rule.sources = std::move(*sources);
  for (const auto& name : match.server_names()) {
    if (name.find('*') != name.npos && !(name.starts_with("*.") && name.rfind('*') == 0)) {
      return fail("server_names: \"{}\": a wildcard may only be the whole first label", name);
    }
    rule.server_names.push_back(to_lower(name.starts_with("*.") ? name.substr(1) : name));
  }
  rule.transport_protocol = match.transport_protocol();
  rule.application_protocols.assign(match.application_protocols().begin(),
                                    match.application_protocols().end());
  rule.source_type = match.source_type();
  rule.source_ports.assign(match.source_ports().begin(), match.source_ports().end());

  const std::string serialized = match.SerializeAsString();
  if (std::ranges::find(seen_, serialized) != seen_.end()) {
    return fail("is the same as that of an earlier filter chain");
  }
  seen_.push_back(serialized);
  rules_.push_back(std::move(rule));
  return {};
}

std::optional<size_t> FilterChainMatcher::find(const ConnectionFacts& facts) const {
  std::vector<uint32_t> left(rules_.size());
  for (size_t i = 0; i < left.size(); ++i) left[i] = static_cast<uint32_t>(i);
  // Keeps the rules that match most specifically by one criterion.
  const auto narrow = [&](auto&& specificity) {
    int best = kNoMatch;
    for (const uint32_t i : left) best = std::max(best, specificity(rules_[i]));
    if (best == kNoMatch) return left.clear();
    std::erase_if(left, [&](uint32_t i) { return specificity(rules_[i]) != best; });
  };
  narrow([&](const Rule& rule) {
    if (!rule.destination_port) return kUnset;
    return *rule.destination_port == facts.destination.port() ? 1 : kNoMatch;
  });
  narrow([&](const Rule& rule) { return match_ranges(rule.destinations, facts.destination); });
  narrow([&](const Rule& rule) { return match_server_name(rule.server_names, facts.server_name); });
  narrow([&](const Rule& rule) {
    if (rule.transport_protocol.empty()) return kUnset;
    return rule.transport_protocol == facts.transport_protocol ? 1 : kNoMatch;
  });
  narrow([&](const Rule& rule) {
    return match_protocols(rule.application_protocols, facts.application_protocols);
  });
  narrow([&](const Rule& rule) { return match_ranges(rule.direct_sources, facts.direct_source); });
  narrow([&](const Rule& rule) {
    if (rule.source_type == FilterChainMatch::ANY) return kUnset;
    const bool wants_local = rule.source_type == FilterChainMatch::SAME_IP_OR_LOOPBACK;
    return wants_local == is_local(facts) ? 1 : kNoMatch;
  });
  narrow([&](const Rule& rule) { return match_ranges(rule.sources, facts.source); });
  narrow([&](const Rule& rule) {
    if (rule.source_ports.empty()) return kUnset;
    const auto& ports = rule.source_ports;
    return std::ranges::find(ports, facts.source.port()) != ports.end() ? 1 : kNoMatch;
  });
  if (left.empty()) return std::nullopt;
  return left.front();
}

}  // namespace sennit::proxy

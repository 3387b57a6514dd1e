#include "proxy/listener/filter_chain_match.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

namespace sennit::proxy {
namespace {

using envoy::config::listener::v3::FilterChainMatch;
using testing::HasSubstr;

FilterChainMatch rule(const std::string& text) {
  FilterChainMatch match;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &match)) << text;
  return match;
}

ConnectionFacts facts() {
  ConnectionFacts facts;
  facts.destination = *net::Address::parse("10.1.2.3:80");
  facts.source = facts.direct_source = *net::Address::parse("10.9.9.9:4444");
  return facts;
}

constexpr int kNone = -1;

// The index of the rule that is chosen.
int choose(const std::vector<std::string>& rules, const ConnectionFacts& facts) {
  FilterChainMatcher matcher;
  for (const auto& text : rules) {
    const auto status = matcher.add(rule(text));
    EXPECT_TRUE(status) << status.error().message;
  }
  const auto found = matcher.find(facts);
  return found ? static_cast<int>(*found) : kNone;
}

const std::string kPort80 = "destination_port { value: 80 }";
const std::string kRange8 = "prefix_ranges { address_prefix: '10.0.0.0' prefix_len { value: 8 } }";
const std::string kRange24 =
    "prefix_ranges { address_prefix: '10.1.2.0' prefix_len { value: 24 } }";
const std::string kTls = "transport_protocol: 'tls'";

TEST(FilterChainMatch, TakesTheRuleThatAsksForNothingLast) {
  EXPECT_EQ(choose({"", kPort80}, facts()), 1);
  EXPECT_EQ(choose({""}, facts()), 0);
}

TEST(FilterChainMatch, FindsNothingWhereNoRuleFits) {
  EXPECT_EQ(choose({"destination_port { value: 81 }"}, facts()), kNone);
  EXPECT_EQ(choose({}, facts()), kNone);
  EXPECT_EQ(choose({kTls}, facts()), kNone);
}

TEST(FilterChainMatch, PrefersTheLongestRange) {
  EXPECT_EQ(choose({kRange8, kRange24}, facts()), 1);
  EXPECT_EQ(choose({kRange24, kRange8}, facts()), 0);
}

TEST(FilterChainMatch, DoesNotTakeAChoiceBack) {
  // The port decides first: that nothing below it fits does not bring the other rule back.
  EXPECT_EQ(choose({kPort80 + kTls, kRange24}, facts()), kNone);
  // A range goes before a server name.
  auto named = facts();
  named.server_name = "a.example";
  EXPECT_EQ(choose({kRange8 + " server_names: 'a.example'", kRange24}, named), 1);
}

TEST(FilterChainMatch, PrefersAnExactServerNameThenTheLongestSuffix) {
  const std::vector<std::string> rules = {"server_names: '*.example'",
                                          "server_names: '*.b.example'",
                                          "server_names: 'a.b.example'", ""};
  const auto with = [&](std::string name) {
    auto named = facts();
    named.server_name = std::move(name);
    return choose(rules, named);
  };
  EXPECT_EQ(with("a.b.example"), 2);
  EXPECT_EQ(with("x.b.example"), 1);
  EXPECT_EQ(with("x.y.b.example"), 1) << "in Envoy, a wildcard covers many labels here";
  EXPECT_EQ(with("x.example"), 0);
  EXPECT_EQ(with("example"), 3);
  EXPECT_EQ(with(""), 3);
}

TEST(FilterChainMatch, ComparesServerNamesWithoutCase) {
  auto named = facts();
  named.server_name = "a.example";
  EXPECT_EQ(choose({"server_names: 'A.Example'"}, named), 0);
}

TEST(FilterChainMatch, TellsTlsFromPlaintext) {
  auto secured = facts();
  secured.transport_protocol = "tls";
  EXPECT_EQ(choose({kTls, "transport_protocol: 'raw_buffer'", ""}, secured), 0);
  EXPECT_EQ(choose({kTls, "transport_protocol: 'raw_buffer'", ""}, facts()), 1);
}

// The chains of a sidecar's inbound port, as istiod sends them: mutual TLS by ALPN.
TEST(FilterChainMatch, TellsAMeshPeerByItsAlpn) {
  const std::vector<std::string> rules = {
      kTls + " application_protocols: ['istio', 'istio-peer-exchange', 'istio-http/1.1']",
      "transport_protocol: 'raw_buffer'", kTls};
  auto peer = facts();
  peer.transport_protocol = "tls";
  peer.application_protocols = {"istio-peer-exchange", "istio"};
  EXPECT_EQ(choose(rules, peer), 0);
  peer.application_protocols = {"h2"};
  EXPECT_EQ(choose(rules, peer), 2);
  EXPECT_EQ(choose(rules, facts()), 1);
}

TEST(FilterChainMatch, LetsTheClientsFirstKnownProtocolDecide) {
  auto offering = facts();
  offering.application_protocols = {"unknown", "h2", "http/1.1"};
  EXPECT_EQ(choose({"application_protocols: 'http/1.1'", "application_protocols: 'h2'"}, offering),
            1);
}

TEST(FilterChainMatch, TellsLocalSourcesFromExternal) {
  const std::vector<std::string> rules = {"source_type: SAME_IP_OR_LOOPBACK",
                                          "source_type: EXTERNAL"};
  EXPECT_EQ(choose(rules, facts()), 1);
  auto same = facts();
  same.source = *net::Address::parse("10.1.2.3:999");
  EXPECT_EQ(choose(rules, same), 0);
  same.source = *net::Address::parse("127.0.0.1:999");
  EXPECT_EQ(choose(rules, same), 0);
}

TEST(FilterChainMatch, LooksAtTheSourceLast) {
  const std::vector<std::string> rules = {
      "source_prefix_ranges { address_prefix: '10.9.0.0' prefix_len { value: 16 } }",
      "source_prefix_ranges { address_prefix: '10.9.9.9' prefix_len { value: 32 } } "
      "source_ports: 1",
      "source_prefix_ranges { address_prefix: '10.9.9.9' prefix_len { value: 32 } } "
      "source_ports: 4444"};
  EXPECT_EQ(choose(rules, facts()), 2);
}

TEST(FilterChainMatch, TellsTheDirectSourceFromTheClientBehindAProxy) {
  auto proxied = facts();
  proxied.direct_source = *net::Address::parse("192.0.2.1:1");
  EXPECT_EQ(choose({"direct_source_prefix_ranges { address_prefix: '192.0.2.0' prefix_len { value: "
                    "24 } }",
                    ""},
                   proxied),
            0);
}

TEST(FilterChainMatch, RefusesWhatCannotBeTold) {
  FilterChainMatcher matcher;
  ASSERT_TRUE(matcher.add(rule(kPort80)));
  EXPECT_THAT(matcher.add(rule(kPort80)).error().message, HasSubstr("same as that of an earlier"));
  EXPECT_THAT(matcher.add(rule("server_names: 'a.*.b'")).error().message,
              HasSubstr("server_names: \"a.*.b\""));
  EXPECT_THAT(matcher.add(rule("prefix_ranges { address_prefix: 'nonsense' }")).error().message,
              HasSubstr("prefix_ranges[0]"));
  EXPECT_THAT(matcher.add(rule("destination_port { value: 65536 }")).error().message,
              HasSubstr("destination_port"));
}

}  // namespace
}  // namespace sennit::proxy

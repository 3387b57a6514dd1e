#include "mesh/api/decode.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mesh/api/duration.h"
#include "mesh/api/istio/destination_rule.pb.h"
#include "mesh/api/istio/peer_authentication.pb.h"
#include "mesh/api/istio/service.pb.h"
#include "mesh/api/istio/virtual_service.pb.h"

namespace sennit::mesh {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kReviews = R"(apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - timeout: 1.5s
    route:
    - destination:
        host: reviews
        subset: v1
      weight: 90
    - {destination: {host: reviews, subset: v2}, weight: 10}
)";

std::vector<std::string> messages(const Decoded& decoded) {
  std::vector<std::string> texts;
  for (const Diagnostic& diagnostic : decoded.diagnostics) texts.push_back(diagnostic.to_string());
  return texts;
}

// A VirtualService whose route (line 7 on, indented by 4) is `route`.
Decoded decode_route(const std::string& route) {
  return decode(
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n"
      "spec:\n  hosts: [a]\n  http:\n  - route: [{destination: {host: a}}]\n" +
          route,
      "f.yaml");
}

TEST(Decode, FillsTheTypedSpec) {
  const Decoded decoded = decode(kReviews, "reviews.yaml");
  ASSERT_THAT(messages(decoded), IsEmpty());
  ASSERT_THAT(decoded.resources, SizeIs(1));
  const Resource& resource = *decoded.resources[0];
  EXPECT_EQ(resource.display_name(), "VirtualService default/reviews");
  const auto& spec = resource.as<istio::v1::VirtualService>();
  EXPECT_EQ(spec.http(0).route(1).destination().subset(), "v2");
  EXPECT_EQ(to_nanoseconds(spec.http(0).timeout()), std::chrono::milliseconds(1500));
}

TEST(Decode, KnowsWhereEachFieldWasWritten) {
  const ResourcePtr decoded = decode(kReviews, "reviews.yaml").resources.at(0);
  const Resource& resource = *decoded;
  EXPECT_EQ(resource.origin_of("http[0].route[0].destination.subset").to_string(),
            "reviews.yaml:11:9");
  EXPECT_EQ(resource.origin_of("http[0].route[0]").to_string(), "reviews.yaml:9:7");
  // Not written: the nearest parent that was.
  EXPECT_EQ(resource.origin_of("http[0].route[0].headers.request.set[x]").to_string(),
            "reviews.yaml:9:7");
  EXPECT_EQ(resource.origin_of("tcp[3]").to_string(), "reviews.yaml:1:1");
}

struct BadCase {
  const char* name;
  const char* route;  // after line 7
  const char* message;
};
class BadRoute : public testing::TestWithParam<BadCase> {};

TEST_P(BadRoute, IsToldOfWithItsPosition) {
  const Decoded decoded = decode_route(GetParam().route);
  EXPECT_THAT(messages(decoded), testing::Contains(HasSubstr(GetParam().message)));
  EXPECT_THAT(decoded.resources, IsEmpty());
  EXPECT_THAT(decoded.rejected, ElementsAre(ResourceKey{"VirtualService", "default", "a"}));
}

INSTANTIATE_TEST_SUITE_P(
    Decode, BadRoute,
    testing::Values(
        BadCase{"UnknownField", "    timeot: 1s\n",
                "f.yaml:8:5: VirtualService default/a: http[0].timeot: there is no such field; did "
                "you mean \"timeout\"?"},
        BadCase{"WrongType", "    retries: 3\n",
                "f.yaml:8:5: VirtualService default/a: http[0].retries: must be a mapping, not the "
                "number 3"},
        BadCase{
            "ListWanted", "    match: {uri: {prefix: /}}\n",
            "f.yaml:8:5: VirtualService default/a: http[0].match: must be a list, not a mapping"},
        BadCase{"BareNumber", "    name: 80\n",
                "http[0].name: must be a text, but YAML reads the number 80 here; write \"80\" in "
                "quotes"},
        BadCase{"BareBoolean", "    name: off\n",
                "http[0].name: must be a text, but YAML reads the boolean off here; write \"off\""},
        BadCase{"QuotedNumber", "    mirrorPercentage: {value: '10'}\n",
                "f.yaml:8:24: VirtualService default/a: http[0].mirrorPercentage.value: must be a "
                "number, not the text \"10\"; remove the quotes"},
        BadCase{"Range", "    match: [{port: -1}]\n",
                "http[0].match[0].port: -1 is out of range; it must be 0 to 4294967295"},
        BadCase{"Duration", "    timeout: 5\n",
                "http[0].timeout: must be a duration, not the number 5; write it as \"1.5s\""},
        BadCase{"Enum", "    corsPolicy: {unmatchedPreflights: IGNOR}\n",
                "must be one of UNSPECIFIED, FORWARD, IGNORE; not the text \"IGNOR\" (did you mean "
                "IGNORE?)"},
        BadCase{"OneOf", "    match: [{uri: {exact: /, prefix: /}}]\n",
                "only one of \"exact\" and \"prefix\" can be set; remove one"},
        BadCase{"EmptyItem", "    mirrors: [null]\n",
                "http[0].mirrors[0]: is empty; write a value or remove the dash"},
        BadCase{"Base64", "    directResponse: {status: 200, body: {bytes: '?'}}\n",
                "is not base64"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Decode, RefusesAKeyWrittenTwice) {
  const Decoded decoded = decode_route("    name: x\n    name: y\n");
  EXPECT_THAT(messages(decoded),
              ElementsAre("f.yaml:9:5: \"name\" is written twice in one mapping (first in line 8); "
                          "remove one"));
  EXPECT_THAT(decoded.resources, IsEmpty());
}

TEST(Decode, TakesSingleLettersAsTexts) {
  // As Kubernetes' reader: of YAML 1.1's booleans, y and n are none.
  EXPECT_THAT(messages(decode_route("    name: y\n")), IsEmpty());
}

TEST(Decode, ResolvesAnchorsAndMergeKeys) {
  const Decoded decoded = decode_route(
      "    retries: &r {attempts: 2, perTryTimeout: 1s}\n"
      "  - match: [{uri: {prefix: /}}]\n    route: [{destination: {host: b}}]\n"
      "    retries: {<<: *r, attempts: 3}\n");
  ASSERT_THAT(decoded.resources, SizeIs(1));
  const auto& retries = decoded.resources[0]->as<istio::v1::VirtualService>().http(1).retries();
  EXPECT_EQ(retries.attempts(), 3);
  EXPECT_EQ(retries.per_try_timeout().seconds(), 1);
}

TEST(Decode, BoundsWhatAliasesBlowUp) {
  std::string text = "a: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    text += fmt::format("b{}: &a{} [", i, i);
    for (int n = 0; n < 10; ++n) text += fmt::format("{}*a{}", n ? "," : "", i - 1);
    text += "]\n";
  }
  const Decoded decoded = decode(text, "bomb.yaml");
  EXPECT_FALSE(decoded.readable);
  EXPECT_THAT(messages(decoded), ElementsAre(HasSubstr("aliases make more than")));
}

TEST(Decode, SaysWhereTextIsNotYaml) {
  const Decoded decoded = decode("apiVersion: v1\nkind: [Service\n", "half.yaml");
  EXPECT_FALSE(decoded.readable);
  EXPECT_THAT(messages(decoded), ElementsAre(HasSubstr("half.yaml:")));
}

TEST(Decode, ReadsSeveralDocumentsListsAndJson) {
  const std::string text = std::string("---\n# nothing\n---\n") + std::string(kReviews) +
                           "---\n"
                           R"({"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ratings", "namespace": "shop"},
     "spec": {"selector": {"app": "ratings"}, "ports": [{"port": 80, "targetPort": "web"}]}}]})";
  const Decoded decoded = decode(text, "all.yaml");
  ASSERT_THAT(messages(decoded), IsEmpty());
  ASSERT_THAT(decoded.resources, SizeIs(2));
  EXPECT_EQ(decoded.resources[1]->display_name(), "Service shop/ratings");
  const auto& service = decoded.resources[1]->as<istio::v1::Service>();
  EXPECT_EQ(service.ports(0).target_port().name(), "web");
}

TEST(Decode, AcceptsEveryVersionOfAKind) {
  for (const char* version : {"v1", "v1beta1", "v1alpha3"}) {
    std::string text(kReviews);
    text.replace(text.find("/v1") + 1, 2, version);
    EXPECT_THAT(messages(decode(text, "f")), IsEmpty()) << version;
  }
}

TEST(Decode, NamesTheVersionsWhenAnotherIsWritten) {
  const Decoded decoded = decode(
      "apiVersion: security.istio.io/v1alpha1\nkind: PeerAuthentication\nmetadata: {name: a}\n",
      "f");
  EXPECT_THAT(messages(decoded), ElementsAre("f:1:1: PeerAuthentication has no version "
                                             "security.istio.io/v1alpha1; it has v1, v1beta1"));
}

TEST(Decode, SkipsForeignKindsWithAWarning) {
  const Decoded decoded = decode("apiVersion: apps/v1\nkind: Deployment\n", "f");
  EXPECT_THAT(messages(decoded),
              ElementsAre("f:1:1: warning: apps/v1 Deployment is skipped: it is no kind that "
                          "Sennit reads"));
}

TEST(Decode, SuggestsTheKindThatWasMeant) {
  const Decoded decoded = decode("apiVersion: networking.istio.io/v1\nkind: VirtualServise\n", "f");
  EXPECT_THAT(messages(decoded), ElementsAre(HasSubstr("(did you mean VirtualService?)")));
}

TEST(Decode, WarnsOfWhatIsNotInForce) {
  const Decoded decoded = decode(
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec:\n"
      "  host: a\n  trafficPolicy:\n    tunnel: {targetHost: b, targetPort: 80}\n",
      "f");
  EXPECT_THAT(messages(decoded), ElementsAre(HasSubstr("f:7:5: warning: DestinationRule default/a: "
                                                       "trafficPolicy.tunnel: is not in force")));
  EXPECT_THAT(decoded.resources, SizeIs(1));
}

TEST(Decode, ReadsMetadata) {
  const Decoded decoded = decode(
      "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  namespace: shop\n  uid: x\n"
      "  labels: {app: a}\n  annotations: {note: hello world}\n"
      "  creationTimestamp: 2026-08-01T10:00:00+02:00\nspec: {ports: [{port: 80}]}\n",
      "f");
  ASSERT_THAT(messages(decoded), IsEmpty());
  const Resource& resource = *decoded.resources.at(0);
  EXPECT_EQ(resource.labels.at("app"), "a");
  EXPECT_EQ(resource.annotations.at("note"), "hello world");
  EXPECT_EQ(resource.creation_time, 1785571200);
}

TEST(Decode, WantsAName) {
  const Decoded decoded =
      decode("apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}]}\n", "f");
  EXPECT_THAT(messages(decoded), ElementsAre("f:1:1: Service: metadata.name: is missing; every "
                                             "resource needs a name"));
}

TEST(Decode, TakesPortKeysWithAndWithoutQuotes) {
  const Decoded decoded = decode(
      "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a}\nspec:\n"
      "  selector: {matchLabels: {app: a}}\n"
      "  portLevelMtls: {8080: {mode: DISABLE}, '8081': {mode: STRICT}}\n",
      "f");
  ASSERT_THAT(messages(decoded), IsEmpty());
  const auto& spec = decoded.resources.at(0)->as<istio::v1::PeerAuthentication>();
  EXPECT_EQ(spec.port_level_mtls().at(8081).mode(),
            istio::v1::PeerAuthentication::MutualTLS::STRICT);
}

}  // namespace
}  // namespace sennit::mesh

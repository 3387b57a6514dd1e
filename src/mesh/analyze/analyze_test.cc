#include "mesh/analyze/analyze.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "mesh/analyze/validate.h"
#include "mesh/api/decode.h"

namespace sennit::mesh {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kMesh = R"(apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{port: 9080, name: http}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: reviews-v1}
spec: {metadata: {labels: {app: reviews, version: v1}}, template: {ports: {http: 9080}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.test]}]
---
)";

std::vector<std::string> found(std::string_view more) {
  const Decoded decoded = decode(std::string(kMesh) + std::string(more), "f");
  std::vector<std::string> texts;
  for (const Diagnostic& diagnostic : decoded.diagnostics) texts.push_back(diagnostic.to_string());
  for (const Diagnostic& diagnostic : analyze(decoded.resources))
    texts.push_back(diagnostic.to_string());
  return texts;
}

std::string virtual_service(std::string_view name, std::string_view spec) {
  return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " +
         std::string(name) + "}\nspec: " + std::string(spec) + "\n---\n";
}

TEST(Analyze, SaysNothingOfAGoodMesh) {
  EXPECT_THAT(found(virtual_service("a",
                                    "{hosts: [shop.test], gateways: [web], http: [{route: "
                                    "[{destination: {host: reviews, subset: v1}}]}]}")),
              IsEmpty());
}

TEST(Analyze, MissesASubset) {
  EXPECT_THAT(
      found(virtual_service(
          "a",
          "{hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v3}}]}]}")),
      ElementsAre(
          "f:26:72: warning: VirtualService default/a: http[0].route[0].destination.subset: "
          "\"v3\" is not a subset of DestinationRule default/reviews (it has v1). Add it "
          "there, or route to one of those. [IST0101]"));
}

TEST(Analyze, MissesAHostAndSuggestsTheNearest) {
  EXPECT_THAT(
      found(virtual_service("a", "{hosts: [x], http: [{route: [{destination: {host: review}}]}]}")),
      ElementsAre(HasSubstr("no Service or ServiceEntry has the host "
                            "review.default.svc.cluster.local; did you mean "
                            "reviews.default.svc.cluster.local? [IST0101]")));
}

TEST(Analyze, MissesAPort) {
  EXPECT_THAT(found(virtual_service("a",
                                    "{hosts: [x], http: [{route: [{destination: {host: "
                                    "reviews, port: {number: 80}}}]}]}")),
              ElementsAre(HasSubstr("has no port 80 (it has 9080) [IST0101]")));
}

TEST(Analyze, MissesAGateway) {
  EXPECT_THAT(found(virtual_service("a",
                                    "{hosts: [x], gateways: [wep], http: [{route: "
                                    "[{destination: {host: reviews}}]}]}")),
              ElementsAre(HasSubstr("gateways[0]: there is no Gateway wep")));
}

TEST(Analyze, SeesAHostThatItsGatewayDoesNotListenFor) {
  EXPECT_THAT(found(virtual_service("a",
                                    "{hosts: [other.test], gateways: [web], http: [{route: "
                                    "[{destination: {host: reviews}}]}]}")),
              ElementsAre(HasSubstr("\"other.test\" is no host of its gateways (they have "
                                    "shop.test) [IST0132]")));
}

TEST(Analyze, SeesTwoVirtualServicesForOneHost) {
  const std::string spec = "{hosts: [reviews], http: [{route: [{destination: {host: reviews}}]}]}";
  EXPECT_THAT(found(virtual_service("a", spec) + virtual_service("b", spec)),
              ElementsAre(testing::AllOf(HasSubstr("VirtualService default/b: hosts[0]: "),
                                         HasSubstr("VirtualService default/a (f:23:1)"),
                                         HasSubstr("[IST0109]"))));
}

TEST(Analyze, SeesSelectorsThatSelectNothing) {
  EXPECT_THAT(found("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
                    "metadata: {name: a}\nspec: {selector: {matchLabels: {app: review}}}\n"),
              ElementsAre(HasSubstr("selects no workload of namespace default")));
  EXPECT_THAT(found("apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
                    "metadata: {name: b}\nspec: {host: reviews, subsets: [{name: v9, labels: "
                    "{version: v9}}]}\n"),
              ElementsAre(HasSubstr("subset \"v9\" selects no workload of "
                                    "reviews.default.svc.cluster.local")));
}

TEST(Analyze, SeesARuleForNoHost) {
  EXPECT_THAT(found("apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
                    "metadata: {name: b}\nspec: {host: ratings}\n"),
              ElementsAre(HasSubstr("[IST0174]")));
}

TEST(Validate, ReadsStandardInput) {
  std::istringstream good{std::string(kMesh)};
  const Validation accepted = validate({"-"}, good);
  EXPECT_THAT(accepted.diagnostics, IsEmpty());
  EXPECT_EQ(accepted.exit_status(), 0);
  EXPECT_EQ(accepted.resources, 4u);
  std::istringstream bad{"kind: Service\n"};
  EXPECT_EQ(validate({"-"}, bad).exit_status(), 1);
}

TEST(Validate, FailsOnAFileThatIsNotThere) {
  std::istringstream none;
  const Validation result = validate({"/nonexistent.yaml"}, none);
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].to_string(), "/nonexistent.yaml: cannot be read");
  EXPECT_EQ(result.exit_status(), 1);
}

TEST(Validate, AgreesWithIstio) {
  const auto cases =
      std::filesystem::path(__FILE__).parent_path() / "../../../../shared/conformance/validation";
  if (!std::filesystem::exists(cases)) GTEST_SKIP() << "the cases are not beside this checkout";
  std::istringstream none;
  for (const auto& entry : std::filesystem::directory_iterator(cases)) {
    std::string verdict;
    std::ifstream(entry.path() / "verdict.txt") >> verdict;
    const Validation result = validate({(entry.path() / "config.yaml").string()}, none);
    EXPECT_EQ(result.exit_status(), verdict == "rejected" ? 1 : 0) << entry.path();
  }
}

}  // namespace
}  // namespace sennit::mesh

// A theatre's mesh, and what the snapshot answers about it.
#include "mesh/model/mesh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mesh/api/decode.h"

namespace sennit::mesh {
namespace {

using testing::ElementsAre;

constexpr const char* kTheatre = R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: stage, namespace: theatre}
spec:
  hosts: [stage.theatre.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: stage}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wardrobe, namespace: backstage}
spec:
  hosts: [wardrobe.backstage.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.8.9, serviceAccount: wardrobe}]
)";

constexpr const char* kActor = R"(
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: actor-a, namespace: theatre}
spec: {address: 127.0.8.1, labels: {app: stage}, serviceAccount: actor}
)";

constexpr const char* kUnderstudy = R"(
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: actor-b, namespace: theatre}
spec: {address: 127.0.8.2, labels: {app: stage}, serviceAccount: actor}
)";

std::vector<ResourcePtr> resources_of(const std::string& text) {
  Decoded decoded = decode(text, "theatre.yaml");
  for (const auto& diagnostic : decoded.diagnostics) ADD_FAILURE() << diagnostic.to_string();
  return decoded.resources;
}

std::shared_ptr<const Mesh> mesh_of(const std::vector<ResourcePtr>& resources,
                                    const Mesh* previous = nullptr) {
  return Mesh::build(resources, std::make_shared<api::MeshConfig>(), previous);
}

std::shared_ptr<const Mesh> mesh_of(const std::string& text) {
  return mesh_of(resources_of(text));
}

std::vector<ResourcePtr> joined(std::vector<ResourcePtr> all, const std::string& text) {
  for (const auto& more : resources_of(text)) all.push_back(more);
  return all;
}

Proxy client(const std::string& namespace_) {
  Proxy proxy;
  proxy.ip = "127.0.8.77";
  proxy.ips = {proxy.ip};
  proxy.namespace_ = namespace_;
  return proxy;
}

std::vector<std::string> hostnames(const std::vector<ServicePtr>& services) {
  std::vector<std::string> out;
  for (const auto& service : services) out.push_back(service->hostname);
  return out;
}

TEST(Mesh, AServiceHasTheWorkloadsThatItsSelectorPicks) {
  auto mesh = mesh_of(std::string(kTheatre) + kActor + kUnderstudy);
  auto stage = mesh->service("stage.theatre.svc.cluster.local", "theatre");
  ASSERT_TRUE(stage);
  EXPECT_EQ(mesh->workloads(*stage)->size(), 2u);
}

TEST(Mesh, AServiceWithoutAnAddressKeepsItsAutomaticOne) {
  auto before = mesh_of(kTheatre);
  auto stage = before->service("stage.theatre.svc.cluster.local", "theatre");
  EXPECT_TRUE(stage->auto_address.starts_with("240.240."));
  constexpr const char* kEarlier = R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a, namespace: theatre}
spec:
  hosts: [a.theatre.svc.cluster.local]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.8.4}]
)";
  auto after = mesh_of(joined(resources_of(kEarlier), kTheatre));
  EXPECT_EQ(after->service("stage.theatre.svc.cluster.local", "theatre")->auto_address,
            stage->auto_address);
}

TEST(Mesh, LoopbackNumbersSurviveServicesThatComeAndGo) {
  auto before = mesh_of(kTheatre);
  auto stage = before->service("stage.theatre.svc.cluster.local", "theatre");
  auto wardrobe = before->service("wardrobe.backstage.svc.cluster.local", "backstage");
  EXPECT_EQ(before->loopback_index(*stage), 2);
  EXPECT_EQ(before->loopback_index(*wardrobe), 3);
  auto resources = resources_of(kTheatre);
  auto after = mesh_of({resources[1]}, before.get());
  EXPECT_EQ(after->loopback_index(*wardrobe), 3);
  auto again = mesh_of(resources, after.get());
  EXPECT_EQ(again->loopback_index(*stage), 2);
}

TEST(Mesh, ServicesAreSeenWhereTheyAreExportedTo) {
  std::string text = kTheatre;
  text += "  exportTo: [\".\"]\n";
  auto mesh = mesh_of(text);
  EXPECT_THAT(
      hostnames(mesh->scope(client("backstage"))->services),
      ElementsAre("stage.theatre.svc.cluster.local", "wardrobe.backstage.svc.cluster.local"));
  EXPECT_THAT(hostnames(mesh->scope(client("theatre"))->services),
              ElementsAre("stage.theatre.svc.cluster.local"));
}

TEST(Mesh, ASidecarNarrowsWhatItsNamespaceSees) {
  constexpr const char* kNarrow = R"(
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: theatre}
spec: {egress: [{hosts: ["./*"]}]}
)";
  auto mesh = mesh_of(joined(resources_of(kTheatre), kNarrow));
  EXPECT_THAT(hostnames(mesh->scope(client("theatre"))->services),
              ElementsAre("stage.theatre.svc.cluster.local"));
  EXPECT_EQ(mesh->scope(client("backstage"))->services.size(), 2u);
}

TEST(Mesh, AProxySharesItsScopeWithItsNamespace) {
  auto mesh = mesh_of(kTheatre);
  EXPECT_EQ(mesh->scope(client("theatre")), mesh->scope(client("theatre")));
}

TEST(Mesh, ADelegateThatIsMissingIsToldWithItsPlace) {
  constexpr const char* kDelegating = R"(
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: stage, namespace: theatre}
spec:
  hosts: [stage]
  http:
  - match: [{uri: {prefix: /a}}]
    delegate: {name: gone}
  - route: [{destination: {host: stage}}]
)";
  auto mesh = mesh_of(joined(resources_of(kTheatre), kDelegating));
  ASSERT_EQ(mesh->diagnostics().size(), 1u);
  EXPECT_EQ(mesh->diagnostics()[0].field_path, "http[0].delegate");
  ASSERT_EQ(mesh->virtual_services().size(), 1u);
  EXPECT_EQ(mesh->virtual_services()[0]->spec.http_size(), 1);
}

TEST(ChangeSummary, AnEndpointMoreTouchesOnlyItsService) {
  auto resources = joined(resources_of(kTheatre), kActor);
  auto before = mesh_of(resources);
  auto after = mesh_of(joined(resources, kUnderstudy), before.get());
  ChangeSummary change = summarize(before.get(), *after);
  EXPECT_FALSE(change.everything);
  EXPECT_THAT(change.services, ElementsAre("stage.theatre.svc.cluster.local"));
  EXPECT_THAT(change.workload_addresses, ElementsAre("127.0.8.2"));
  auto wardrobe = after->service("wardrobe.backstage.svc.cluster.local", "backstage");
  EXPECT_EQ(before->workloads(*wardrobe), after->workloads(*wardrobe));
}

TEST(ChangeSummary, AnEndpointLessTouchesOnlyItsService) {
  auto resources = joined(joined(resources_of(kTheatre), kActor), kUnderstudy);
  auto before = mesh_of(resources);
  resources.pop_back();
  auto after = mesh_of(resources, before.get());
  ChangeSummary change = summarize(before.get(), *after);
  EXPECT_FALSE(change.everything);
  EXPECT_THAT(change.services, ElementsAre("stage.theatre.svc.cluster.local"));
  EXPECT_THAT(change.workload_addresses, ElementsAre("127.0.8.2"));
}

TEST(ChangeSummary, AnIdentityThatClientsMustExpectTouchesEverything) {
  auto resources = resources_of(kTheatre);
  auto before = mesh_of(resources);
  auto after = mesh_of(joined(resources, kActor), before.get());
  EXPECT_TRUE(summarize(before.get(), *after).everything);
}

TEST(ChangeSummary, NothingIsTouchedWhereNothingChanged) {
  auto resources = joined(resources_of(kTheatre), kActor);
  auto before = mesh_of(resources);
  auto after = mesh_of(resources, before.get());
  EXPECT_TRUE(summarize(before.get(), *after).empty());
}

TEST(ChangeSummary, ARuleTouchesEverything) {
  constexpr const char* kRule = R"(
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: stage, namespace: theatre}
spec: {host: stage}
)";
  auto resources = resources_of(kTheatre);
  auto before = mesh_of(resources);
  auto after = mesh_of(joined(resources, kRule), before.get());
  EXPECT_TRUE(summarize(before.get(), *after).everything);
}

}  // namespace
}  // namespace sennit::mesh

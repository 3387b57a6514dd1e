// Which of several policies is in force, and what a proxy registers itself as.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mesh/api/decode.h"
#include "mesh/api/istio/workload_entry.pb.h"
#include "mesh/model/hostname.h"
#include "mesh/model/mesh.h"
#include "mesh/model/registry.h"

namespace sennit::mesh {
namespace {

using testing::ElementsAre;

std::vector<ResourcePtr> resources_of(const std::string& text) {
  Decoded decoded = decode(text, "policies.yaml");
  for (const auto& diagnostic : decoded.diagnostics) ADD_FAILURE() << diagnostic.to_string();
  return decoded.resources;
}

std::shared_ptr<const Mesh> mesh_of(const std::string& text) {
  return Mesh::build(resources_of(text), std::make_shared<api::MeshConfig>());
}

constexpr const char* kPolicies = R"(
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: harbour}
spec: {mtls: {mode: PERMISSIVE}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: crane, namespace: harbour}
spec:
  selector: {matchLabels: {app: crane}}
  mtls: {mode: STRICT}
  portLevelMtls: {9000: {mode: DISABLE}}
)";

TEST(PeerAuthentication, IsPermissiveWhereNothingIsSaid) {
  EXPECT_EQ(mesh_of("")->mutual_tls("harbour", {}, 0), MutualTls::Permissive);
}

TEST(PeerAuthentication, TheNarrowestPolicyIsInForce) {
  auto mesh = mesh_of(kPolicies);
  EXPECT_EQ(mesh->mutual_tls("elsewhere", {}, 80), MutualTls::Strict);
  EXPECT_EQ(mesh->mutual_tls("harbour", {{"app", "pier"}}, 80), MutualTls::Permissive);
  EXPECT_EQ(mesh->mutual_tls("harbour", {{"app", "crane"}}, 80), MutualTls::Strict);
  EXPECT_EQ(mesh->mutual_tls("harbour", {{"app", "crane"}}, 9000), MutualTls::Disable);
}

constexpr const char* kRules = R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pier, namespace: harbour}
spec:
  hosts: [pier.harbour.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.8.3}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: pier, namespace: harbour}
spec:
  host: pier
  subsets: [{name: north, labels: {side: north}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: pier-more, namespace: harbour}
spec:
  host: pier.harbour.svc.cluster.local
  subsets: [{name: south, labels: {side: south}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: mine, namespace: ship}
spec: {host: pier.harbour.svc.cluster.local}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: others, namespace: island}
spec: {host: pier.harbour.svc.cluster.local}
)";

TEST(DestinationRules, TheClientsNamespaceComesBeforeTheServices) {
  auto mesh = mesh_of(kRules);
  auto pier = mesh->service("pier.harbour.svc.cluster.local", "harbour");
  EXPECT_EQ(mesh->destination_rule(*pier, "ship", {})->resource->name, "mine");
  EXPECT_EQ(mesh->destination_rule(*pier, "elsewhere", {})->resource->name, "pier");
}

TEST(DestinationRules, ThoseOfOneHostAndNamespaceAreMerged) {
  auto mesh = mesh_of(kRules);
  auto pier = mesh->service("pier.harbour.svc.cluster.local", "harbour");
  auto rule = mesh->destination_rule(*pier, "harbour", {});
  ASSERT_EQ(rule->spec.subsets_size(), 2);
  EXPECT_EQ(rule->spec.subsets(0).name(), "north");
  EXPECT_EQ(rule->spec.subsets(1).name(), "south");
}

TEST(Hostnames, AreComparedByWholeLabels) {
  EXPECT_TRUE(host_subset_of("a.example.org", "*.example.org"));
  EXPECT_TRUE(host_subset_of("*.a.example.org", "*.example.org"));
  EXPECT_FALSE(host_subset_of("example.org", "*.example.org"));
  EXPECT_FALSE(host_subset_of("*.example.org", "a.example.org"));
}

TEST(Hostnames, IntersectToTheNarrower) {
  EXPECT_THAT(intersect_hosts({"*.example.org", "b.test"}, {"a.example.org", "*"}),
              ElementsAre("a.example.org", "*.example.org", "b.test"));
}

constexpr const char* kGroup = R"(
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: crane-v1, namespace: harbour}
spec:
  metadata: {labels: {app: crane}}
  template: {serviceAccount: crane, ports: {http: 9000}}
)";

Proxy registering() {
  Proxy proxy;
  proxy.ip = "127.30.4.1";
  proxy.namespace_ = "harbour";
  proxy.interception = Proxy::Interception::None;
  proxy.inbound_ports = {{"http", 41001}};
  proxy.app_ports = {{"http", 9000}};
  return proxy;
}

TEST(SelfRegistration, MeshFacingPortsAreTheOnesToCall) {
  auto entry = workload_entry_from_group(*resources_of(kGroup)[0], registering());
  ASSERT_TRUE(entry.has_value());
  const auto& spec = (*entry)->as<api::WorkloadEntry>();
  EXPECT_EQ(spec.address(), "127.30.4.1");
  EXPECT_EQ(spec.service_account(), "crane");
  EXPECT_EQ(spec.ports().at("http"), 41001u);
  EXPECT_EQ((*entry)->annotations.at("istio.io/autoRegistrationGroup"), "crane-v1");
}

TEST(SelfRegistration, TheApplicationsOwnPortIsRemembered) {
  auto entry = workload_entry_from_group(*resources_of(kGroup)[0], registering());
  WorkloadPtr workload = workload_of_entry(**entry);
  ServicePort port{80, "http", Protocol::Http, 0};
  EXPECT_EQ(workload->port_of(port), 41001u);
  EXPECT_EQ(workload->application_port_of(port), 9000u);
}

TEST(SelfRegistration, ProxiesOnOneAddressAreToldApart) {
  auto group = resources_of(kGroup)[0];
  Proxy other = registering();
  other.inbound_ports = {{"http", 41002}};
  EXPECT_NE((*workload_entry_from_group(*group, registering()))->name,
            (*workload_entry_from_group(*group, other))->name);
}

}  // namespace
}  // namespace sennit::mesh

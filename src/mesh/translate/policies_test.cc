// DestinationRules, locality and mutual TLS as they end up in clusters, endpoints and listeners.
#include <envoy/config/cluster/v3/cluster.pb.h>
#include <envoy/config/endpoint/v3/endpoint.pb.h>
#include <envoy/config/listener/v3/listener.pb.h>
#include <gmock/gmock.h>

#include "mesh/translate/test_meshes.h"

namespace sennit::mesh {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::listener::v3::Listener;
using testing::ElementsAre;

constexpr const char* kFerry = R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ferry, namespace: coast}
spec:
  hosts: [ferry.coast.svc.cluster.local]
  addresses: [240.240.6.1]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 7000, name: tcp, protocol: TCP}]
  workloadSelector: {labels: {app: ferry}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: ferry-v1, namespace: coast}
spec:
  metadata: {labels: {app: ferry, berth: b1}}
  template: {serviceAccount: ferry, ports: {http: 9000, tcp: 9100}}
)";

constexpr const char* kFarFerries = R"(
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: near, namespace: coast}
spec: {address: 127.0.6.1, labels: {app: ferry, berth: b1}, locality: west/one/a}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: zone, namespace: coast}
spec: {address: 127.0.6.2, labels: {app: ferry, berth: b2}, locality: west/two/a}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: far, namespace: coast}
spec: {address: 127.0.6.3, labels: {app: ferry, berth: b1}, locality: east/one/a}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ferry, namespace: coast}
spec:
  host: ferry
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 7}}
    outlierDetection: {consecutive5xxErrors: 3}
    portLevelSettings: [{port: {number: 7000}, loadBalancer: {simple: RANDOM}}]
    loadBalancer:
      simple: ROUND_ROBIN
)";

constexpr const char* kHttpCluster = "outbound|80||ferry.coast.svc.cluster.local";

Proxy client() {
  Proxy proxy;
  proxy.ip = "127.0.6.100";
  proxy.ips = {proxy.ip};
  proxy.namespace_ = "coast";
  proxy.region = "west";
  proxy.zone = "one";
  proxy.sub_zone = "a";
  proxy.labels = {{"berth", "b1"}};
  return proxy;
}

// address → priority
std::map<std::string, uint32_t> priorities(const ClusterLoadAssignment& assignment) {
  std::map<std::string, uint32_t> out;
  for (const auto& group : assignment.endpoints()) {
    for (const auto& endpoint : group.lb_endpoints()) {
      out[endpoint.endpoint().address().socket_address().address()] = group.priority();
    }
  }
  return out;
}

TEST(TrafficPolicy, APortsSettingsReplaceTheWhole) {
  auto mesh = mesh_of(std::string(kFerry) + kFarFerries);
  auto clusters = translate_clusters(*mesh, client());
  auto http = parse<Cluster>(named(clusters, kHttpCluster));
  EXPECT_EQ(http.lb_policy(), Cluster::ROUND_ROBIN);
  EXPECT_EQ(http.circuit_breakers().thresholds(0).max_connections().value(), 7u);
  auto tcp = parse<Cluster>(named(clusters, "outbound|7000||ferry.coast.svc.cluster.local"));
  EXPECT_EQ(tcp.lb_policy(), Cluster::RANDOM);
  EXPECT_FALSE(tcp.has_outlier_detection());
  EXPECT_EQ(tcp.circuit_breakers().thresholds(0).max_connections().value(), 4294967295u);
}

TEST(Locality, FailsOverToTheNearest) {
  auto mesh = mesh_of(std::string(kFerry) + kFarFerries);
  auto made = parse<ClusterLoadAssignment>(translate_endpoints(*mesh, client(), kHttpCluster));
  EXPECT_THAT(priorities(made), ElementsAre(std::pair("127.0.6.1", 0u), std::pair("127.0.6.2", 1u),
                                            std::pair("127.0.6.3", 2u)));
}

TEST(Locality, FailsOverByLabelsWhereTheyAreNamed) {
  auto mesh = mesh_of(std::string(kFerry) + kFarFerries +
                      "      localityLbSetting: {failoverPriority: [berth, "
                      "topology.kubernetes.io/region]}\n");
  auto made = parse<ClusterLoadAssignment>(translate_endpoints(*mesh, client(), kHttpCluster));
  EXPECT_THAT(priorities(made), ElementsAre(std::pair("127.0.6.1", 0u), std::pair("127.0.6.2", 2u),
                                            std::pair("127.0.6.3", 1u)));
}

// --- without interception -------------------------------------------------------------------

constexpr const char* kPlainHttpPort = R"(
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: ferry, namespace: coast}
spec:
  selector: {matchLabels: {app: ferry}}
  mtls: {mode: STRICT}
  portLevelMtls: {9000: {mode: DISABLE}}
)";

Proxy server() {
  Proxy proxy;
  proxy.ip = "127.33.2.1";
  proxy.ips = {proxy.ip};
  proxy.namespace_ = "coast";
  proxy.labels = {{"app", "ferry"}};
  proxy.interception = Proxy::Interception::None;
  proxy.loopback_prefix = "127.33.2";
  proxy.inbound_ports = {{"http", 41001}, {"tcp", 41002}};
  proxy.app_ports = {{"http", 9000}, {"tcp", 9100}};
  proxy.auto_register_group = "ferry-v1";
  return proxy;
}

std::shared_ptr<const Mesh> registered_mesh() {
  auto resources = resources_of(std::string(kFerry) + kPlainHttpPort);
  auto entry = workload_entry_from_group(*resources[1], server());
  if (!entry) {
    ADD_FAILURE() << entry.error().message;
  } else {
    resources.push_back(*entry);
  }
  return Mesh::build(resources, std::make_shared<api::MeshConfig>());
}

bool offers_mutual_tls(const Mesh& mesh, const char* cluster) {
  auto made = parse<ClusterLoadAssignment>(translate_endpoints(mesh, client(), cluster));
  if (made.endpoints().empty()) return false;
  return made.endpoints(0).lb_endpoints(0).metadata().filter_metadata().contains(
      "envoy.transport_socket_match");
}

TEST(WithoutInterception, BothSidesReadPortLevelMutualTlsAlike) {
  auto mesh = registered_mesh();
  auto listeners = translate_listeners(*mesh, server());
  auto http = parse<Listener>(named(listeners, "inbound_127.33.2.1_41001"));
  auto tcp = parse<Listener>(named(listeners, "inbound_127.33.2.1_41002"));
  EXPECT_FALSE(http.filter_chains(0).has_transport_socket());
  EXPECT_TRUE(tcp.filter_chains(0).has_transport_socket());
  EXPECT_FALSE(offers_mutual_tls(*mesh, kHttpCluster));
  EXPECT_TRUE(offers_mutual_tls(*mesh, "outbound|7000||ferry.coast.svc.cluster.local"));
}

TEST(WithoutInterception, EndpointsAreTheSidecarsPorts) {
  auto made =
      parse<ClusterLoadAssignment>(translate_endpoints(*registered_mesh(), client(), kHttpCluster));
  EXPECT_EQ(made.endpoints(0).lb_endpoints(0).endpoint().address().socket_address().port_value(),
            41001u);
}

TEST(WithoutInterception, TheApplicationIsReachedOnLoopback) {
  auto cluster =
      parse<Cluster>(named(translate_clusters(*registered_mesh(), server()), "inbound|9000||"));
  const auto& address =
      cluster.load_assignment().endpoints(0).lb_endpoints(0).endpoint().address().socket_address();
  EXPECT_EQ(address.address(), "127.0.0.1");
  EXPECT_EQ(address.port_value(), 9000u);
}

TEST(WithoutInterception, APortThatNoServiceNamesIsServedToo) {
  Proxy lonely = server();
  lonely.ip = "127.33.9.1";
  lonely.ips = {lonely.ip};
  lonely.inbound_ports = {{"http-admin", 41009}};
  lonely.app_ports = {{"http-admin", 9900}};
  auto mesh = mesh_of(kFerry);
  named(translate_clusters(*mesh, lonely), "inbound|9900||");
  named(translate_listeners(*mesh, lonely), "inbound_127.33.9.1_41009");
}

TEST(Redirection, ATcpServiceWithoutAnAddressHasItsPortOnAnyAddress) {
  constexpr const char* kBuoy = R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: buoy, namespace: coast}
spec:
  hosts: [buoy.test]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 9000, name: tcp, protocol: TCP}]
  endpoints: [{address: 127.0.6.9}]
)";
  auto listener =
      parse<Listener>(named(translate_listeners(*mesh_of(kBuoy), client()), "0.0.0.0_9000"));
  ASSERT_EQ(listener.filter_chains_size(), 1);
  EXPECT_TRUE(listener.filter_chains(0).filter_chain_match().server_names().empty());
}

}  // namespace
}  // namespace sennit::mesh

// A small mesh of ours, and what translation makes of it for a sidecar, a server and a gateway.
#include <envoy/config/cluster/v3/cluster.pb.h>
#include <envoy/config/endpoint/v3/endpoint.pb.h>
#include <envoy/config/listener/v3/listener.pb.h>
#include <envoy/config/route/v3/route.pb.h>
#include <gmock/gmock.h>

#include "mesh/translate/test_meshes.h"

namespace sennit::mesh {
namespace {

using testing::Contains;
using testing::ElementsAre;

constexpr const char* kBakery = R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: oven, namespace: bakery}
spec:
  hosts: [oven.bakery.svc.cluster.local]
  addresses: [240.240.9.1]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
  workloadSelector: {labels: {app: oven}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: oven-a, namespace: bakery}
spec: {address: 127.0.9.1, labels: {app: oven, version: v1}, serviceAccount: oven}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: till, namespace: bakery}
spec:
  hosts: [till.bakery.svc.cluster.local]
  addresses: [240.240.9.2]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 5500, name: tcp, protocol: TCP}]
  endpoints: [{address: 127.0.9.5}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: oven, namespace: bakery}
spec:
  host: oven
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: oven, namespace: bakery}
spec:
  hosts: [oven]
  http:
  - match: [{uri: {prefix: /rye}}]
    route: [{destination: {host: oven, subset: v1}}]
  - route: [{destination: {host: oven}}]
)";

constexpr const char* kFront = R"(
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: bakery}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front, namespace: bakery}
spec:
  hosts: [bread.example.org]
  gateways: [front]
  http: [{route: [{destination: {host: oven}}]}]
)";

Proxy sidecar(const std::string& ip = "127.0.9.100") {
  Proxy proxy;
  proxy.ip = ip;
  proxy.ips = {ip};
  proxy.namespace_ = "bakery";
  proxy.dns_domain = "bakery.svc.cluster.local";
  return proxy;
}

std::vector<std::string> names(const std::vector<XdsResource>& resources) {
  std::vector<std::string> out;
  for (const auto& resource : resources) out.push_back(resource.name);
  return out;
}

TEST(Translate, NamesClustersAsIstioDoes) {
  EXPECT_THAT(names(translate_clusters(*mesh_of(kBakery), sidecar())),
              ElementsAre("outbound|80||oven.bakery.svc.cluster.local",
                          "outbound|80|v1|oven.bakery.svc.cluster.local",
                          "outbound|5500||till.bakery.svc.cluster.local", "BlackHoleCluster",
                          "PassthroughCluster", "InboundPassthroughCluster"));
}

TEST(Translate, NamesListenersByPortForHttpAndByAddressForTcp) {
  EXPECT_THAT(names(translate_listeners(*mesh_of(kBakery), sidecar())),
              ElementsAre("0.0.0.0_80", "240.240.9.2_5500", "virtualOutbound", "virtualInbound"));
}

TEST(Translate, TheSameInputsGiveTheSameBytes) {
  auto one = translate_clusters(*mesh_of(kBakery), sidecar());
  auto two = translate_clusters(*mesh_of(kBakery), sidecar());
  ASSERT_EQ(one.size(), two.size());
  for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(*one[i].bytes, *two[i].bytes) << one[i].name;
}

TEST(Translate, AVirtualHostHasTheNamesThatKubernetesDnsKnows) {
  auto config = parse<envoy::config::route::v3::RouteConfiguration>(
      translate_routes(*mesh_of(kBakery), sidecar(), "80"));
  ASSERT_EQ(config.virtual_hosts_size(), 2);
  const auto& domains = config.virtual_hosts(0).domains();
  EXPECT_THAT(std::vector<std::string>(domains.begin(), domains.end()),
              ElementsAre("oven.bakery.svc.cluster.local", "oven.bakery.svc.cluster.local.", "oven",
                          "oven.bakery.svc", "oven.bakery", "240.240.9.1"));
  EXPECT_EQ(config.virtual_hosts(1).name(), "allow_any");
}

TEST(Translate, RoutesKeepTheOrderOfTheRules) {
  auto config = parse<envoy::config::route::v3::RouteConfiguration>(
      translate_routes(*mesh_of(kBakery), sidecar(), "80"));
  const auto& routes = config.virtual_hosts(0).routes();
  ASSERT_EQ(routes.size(), 2);
  EXPECT_EQ(routes[0].match().prefix(), "/rye");
  EXPECT_EQ(routes[0].route().cluster(), "outbound|80|v1|oven.bakery.svc.cluster.local");
  EXPECT_EQ(routes[1].route().cluster(), "outbound|80||oven.bakery.svc.cluster.local");
}

TEST(Translate, EndpointsSayWhereMutualTlsIsTaken) {
  auto assignment = parse<envoy::config::endpoint::v3::ClusterLoadAssignment>(translate_endpoints(
      *mesh_of(kBakery), sidecar(), "outbound|80||oven.bakery.svc.cluster.local"));
  ASSERT_EQ(assignment.endpoints_size(), 1);
  const auto& endpoint = assignment.endpoints(0).lb_endpoints(0);
  EXPECT_EQ(endpoint.endpoint().address().socket_address().port_value(), 8080u);
  EXPECT_EQ(endpoint.metadata()
                .filter_metadata()
                .at("envoy.transport_socket_match")
                .fields()
                .at("tlsMode")
                .string_value(),
            "istio");
}

TEST(Translate, AnUnknownSubsetHasNoEndpoints) {
  EXPECT_EQ(translate_endpoints(*mesh_of(kBakery), sidecar(),
                                "outbound|80|v9|oven.bakery.svc.cluster.local")
                .bytes,
            nullptr);
}

TEST(Translate, AServerHasAClusterAndAChainPerPort) {
  Proxy server = sidecar("127.0.9.1");
  auto mesh = mesh_of(kBakery);
  EXPECT_THAT(names(translate_clusters(*mesh, server)), Contains("inbound|8080||"));
  auto listener =
      parse<envoy::config::listener::v3::Listener>(translate_listeners(*mesh, server).back());
  int chains = 0;
  for (const auto& chain : listener.filter_chains()) chains += chain.name() == "0.0.0.0_8080";
  EXPECT_EQ(chains, 2);  // PERMISSIVE: mutual TLS and plain text
}

TEST(Translate, PlainEnvoyGetsNoneOfIstiosOwnFilters) {
  auto mesh = mesh_of(kBakery);
  Proxy ours = sidecar();
  ours.knows_istio_stats = true;
  auto holds = [&](const Proxy& proxy) {
    return translate_listeners(*mesh, proxy)[0].bytes->find("istio.stats") != std::string::npos;
  };
  EXPECT_FALSE(holds(sidecar()));
  EXPECT_TRUE(holds(ours));
}

TEST(Translate, AGatewayServesTheRulesThatAreBoundToIt) {
  Proxy gateway;
  gateway.type = Proxy::Type::Router;
  gateway.namespace_ = "istio-system";
  gateway.labels = {{"istio", "ingressgateway"}};
  auto mesh = mesh_of(std::string(kBakery) + kFront);
  EXPECT_THAT(names(translate_listeners(*mesh, gateway)), ElementsAre("0.0.0.0_80"));
  auto config = parse<envoy::config::route::v3::RouteConfiguration>(
      translate_routes(*mesh, gateway, "http.80"));
  ASSERT_EQ(config.virtual_hosts_size(), 1);
  EXPECT_EQ(config.virtual_hosts(0).name(), "bread.example.org:80");
}

TEST(Translate, WithoutInterceptionEachServiceHasAnAddress) {
  Proxy proxy = sidecar();
  proxy.interception = Proxy::Interception::None;
  proxy.loopback_prefix = "127.3.7";
  auto mesh = mesh_of(kBakery);
  EXPECT_THAT(
      names(translate_listeners(*mesh, proxy)),
      ElementsAre("oven.bakery.svc.cluster.local:80", "till.bakery.svc.cluster.local:5500"));
  auto config = parse<envoy::config::route::v3::RouteConfiguration>(
      translate_routes(*mesh, proxy, "oven.bakery.svc.cluster.local:80"));
  ASSERT_EQ(config.virtual_hosts_size(), 1);
  EXPECT_THAT(config.virtual_hosts(0).domains(), ElementsAre("*"));
  EXPECT_EQ(config.virtual_hosts(0).routes_size(), 2);
}

}  // namespace
}  // namespace sennit::mesh

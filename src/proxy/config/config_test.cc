#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <udpa/type/v1/typed_struct.pb.h>

#include <cstdio>
#include <fstream>

#include "proxy/config/any.h"
#include "proxy/config/bootstrap.h"
#include "proxy/config/local_node.h"
#include "proxy/config/yaml.h"

namespace sennit::proxy {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(std::string_view text) {
  Bootstrap bootstrap;
  const auto status = parse_yaml_into(text, "b.yaml", bootstrap);
  return status ? "no error" : status.error().message;
}

TEST(Yaml, TakesSnakeCaseAndCamelCaseNames) {
  Bootstrap bootstrap;
  ASSERT_TRUE(parse_yaml_into("static_resources: {clusters: [{name: a, connectTimeout: 1s}]}",
                              "b.yaml", bootstrap));
  EXPECT_EQ(bootstrap.static_resources().clusters(0).connect_timeout().seconds(), 1);
}

TEST(Yaml, TakesJson) {
  Bootstrap bootstrap;
  ASSERT_TRUE(
      parse_yaml_into(R"({"node": {"id": "n\u0041", "cluster": "c"}})", "b.json", bootstrap));
  EXPECT_EQ(bootstrap.node().id(), "nA");
}

TEST(Yaml, AnUnknownFieldIsNamedWithItsPathAndPosition) {
  EXPECT_EQ(error_of("node:\n  id: x\nstatic_resources:\n  clusters:\n  - name: a\n    typo: 1\n"),
            "b.yaml:6:5: static_resources.clusters[0].typo: no such field in "
            "envoy.config.cluster.v3.Cluster");
}

TEST(Yaml, AnUnknownTypeUrlIsNamed) {
  EXPECT_THAT(
      error_of("static_resources:\n  clusters:\n  - transport_socket:\n      typed_config:\n"
               "        \"@type\": type.googleapis.com/no.such.Type\n"),
      HasSubstr("static_resources.clusters[0].transport_socket.typed_config: unknown type "
                "URL \"type.googleapis.com/no.such.Type\""));
}

TEST(Yaml, AWrongTypeNamesTheField) {
  EXPECT_THAT(error_of("node: {id: [1]}"), HasSubstr("node.id"));
  EXPECT_THAT(error_of("admin: {address: {socket_address: {port_value: abc}}}"),
              HasSubstr("port_value"));
}

TEST(Yaml, TruncatedTextSaysWhere) {
  EXPECT_THAT(error_of("{\"node\": {\"id\": \"a\""), StartsWith("b.yaml:"));
}

TEST(Yaml, StructsTakeAnything) {
  Bootstrap bootstrap;
  ASSERT_TRUE(parse_yaml_into("node: {metadata: {A: 1, B: {c: [x, true, null]}}}", "b", bootstrap));
  EXPECT_EQ(bootstrap.node().metadata().fields().at("A").number_value(), 1);
}

TEST(Yaml, AnchorsAndMergeKeysWork) {
  Bootstrap bootstrap;
  ASSERT_TRUE(
      parse_yaml_into("static_resources: {clusters: [&a {name: x, connect_timeout: 2s}, "
                      "{<<: *a, name: y}]}",
                      "b", bootstrap));
  EXPECT_EQ(bootstrap.static_resources().clusters(1).connect_timeout().seconds(), 2);
  EXPECT_EQ(bootstrap.static_resources().clusters(1).name(), "y");
}

TEST(Any, ATypedStructBecomesItsMessage) {
  udpa::type::v1::TypedStruct typed;
  typed.set_type_url("type.googleapis.com/envoy.config.core.v3.Node");
  (*typed.mutable_value()->mutable_fields())["id"].set_string_value("me");
  google::protobuf::Any any;
  any.PackFrom(typed);
  const auto node = unpack_any<envoy::config::core::v3::Node>(any);
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_EQ(node->id(), "me");
}

TEST(Any, AnUnknownFieldOfATypedStructIsNamed) {
  udpa::type::v1::TypedStruct typed;
  typed.set_type_url("type.googleapis.com/envoy.config.core.v3.Node");
  (*typed.mutable_value()->mutable_fields())["idd"].set_string_value("me");
  google::protobuf::Any any;
  any.PackFrom(typed);
  const auto node = unpack_any<envoy::config::core::v3::Node>(any);
  ASSERT_FALSE(node);
  EXPECT_THAT(node.error().message, HasSubstr("idd"));
}

TEST(Bootstrap, TheCommandLineIsMergedOverTheFile) {
  const std::string path = ::testing::TempDir() + "/bootstrap_test.yaml";
  std::ofstream(path) << "node: {id: file, cluster: c}\n";
  const auto loaded = load_bootstrap({.path = path, .yaml = "node: {id: line}"});
  std::remove(path.c_str());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->node().id(), "line");
  EXPECT_EQ(loaded->node().cluster(), "c");
}

TEST(Bootstrap, AMissingFileIsNamed) {
  const auto loaded = load_bootstrap({.path = "/nonexistent/b.yaml"});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, "/nonexistent/b.yaml: No such file or directory");
}

TEST(Bootstrap, AFieldThatIsNotCarriedOutIsRefusedByItsPath) {
  const auto loaded = load_bootstrap({.yaml = "overload_manager: {refresh_interval: 1s}"});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("overload_manager: is not supported"));
}

TEST(Bootstrap, RuntimeByDiscoveryIsRefused) {
  const auto loaded =
      load_bootstrap({.yaml = "layered_runtime: {layers: [{name: a, rtds_layer: {name: r}}]}"});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("layered_runtime.layers[0]"));
}

TEST(Bootstrap, RestDiscoveryIsRefused) {
  const auto loaded = load_bootstrap(
      {.yaml = "{node: {id: a, cluster: b}, dynamic_resources: {cds_config: {api_config_source: "
               "{api_type: REST, cluster_names: [x]}}}}"});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("dynamic_resources.cds_config.api_config_source"));
}

TEST(LocalNode, ReadsIstiosMetadata) {
  Bootstrap bootstrap;
  ASSERT_TRUE(
      parse_yaml_into("node: {id: 'sidecar~10.0.0.9~a.b~b.svc.cluster.local', metadata: "
                      "{WORKLOAD_NAME: w, NAMESPACE: n, LABELS: {app: a, version: v2}}}",
                      "b", bootstrap));
  const LocalNode node = make_local_node(bootstrap.node());
  EXPECT_EQ(node.canonical_name(), "a");
  EXPECT_EQ(node.canonical_revision(), "v2");
  EXPECT_EQ(node.namespace_, "n");
  EXPECT_EQ(node.instance_ip, "10.0.0.9");
}

}  // namespace
}  // namespace sennit::proxy

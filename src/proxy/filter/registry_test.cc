#include "proxy/filter/registry.h"

#include <envoy/extensions/filters/http/cors/v3/cors.pb.h>
#include <envoy/extensions/filters/http/fault/v3/fault.pb.h>
#include <envoy/extensions/filters/http/rbac/v3/rbac.pb.h>
#include <gtest/gtest.h>

#include "proxy/route/route_table.h"

namespace sennit::proxy {
namespace {

envoy::config::route::v3::RouteConfiguration table_with(
    const google::protobuf::Message& filter_config) {
  envoy::config::route::v3::RouteConfiguration config;
  auto* host = config.add_virtual_hosts();
  host->add_domains("*");
  auto* route = host->add_routes();
  route->mutable_match()->set_prefix("/");
  route->mutable_route()->set_cluster("c");
  (*route->mutable_typed_per_filter_config())["f"].PackFrom(filter_config);
  return config;
}

TEST(FilterRegistry, ParsesRouteConfigurationsByTheirType) {
  EXPECT_TRUE(
      RouteTable::create(table_with(envoy::extensions::filters::http::cors::v3::CorsPolicy())));
  EXPECT_TRUE(
      RouteTable::create(table_with(envoy::extensions::filters::http::fault::v3::HTTPFault())));
  EXPECT_TRUE(
      RouteTable::create(table_with(envoy::extensions::filters::http::rbac::v3::RBACPerRoute())));
}

TEST(FilterRegistry, RefusesRouteConfigurationsOfUnknownTypeByName) {
  auto table = RouteTable::create(table_with(envoy::config::route::v3::RouteConfiguration()));
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().message,
            "virtual_hosts[0].routes[0].typed_per_filter_config[f]: "
            "type.googleapis.com/envoy.config.route.v3.RouteConfiguration is not supported");
}

TEST(FilterRegistry, RefusesFieldsOfFiltersByTheirPath) {
  envoy::extensions::filters::http::fault::v3::HTTPFault fault;
  fault.mutable_delay()->mutable_header_delay();
  auto table = RouteTable::create(table_with(fault));
  ASSERT_FALSE(table);
  EXPECT_EQ(
      table.error().message,
      "virtual_hosts[0].routes[0].typed_per_filter_config[f].delay.header_delay: is not supported");
}

TEST(FilterRegistry, KnowsNoFilterThatItCannotRun) {
  EXPECT_EQ(find_filter_type(
                "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"),
            nullptr);
}

}  // namespace
}  // namespace sennit::proxy

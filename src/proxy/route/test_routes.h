// Helpers for tests of the route table: tables from text, requests in one line.
#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "proxy/route/route_table.h"

namespace sennit::proxy {

inline Result<std::shared_ptr<const void>> no_filter_configs(const google::protobuf::Any& any) {
  return std::make_shared<std::string>(any.type_url());
}

inline Result<std::shared_ptr<const RouteTable>> parse_table(const std::string& text) {
  envoy::config::route::v3::RouteConfiguration config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return RouteTable::create(config, no_filter_configs);
}

inline std::shared_ptr<const RouteTable> make_table(const std::string& text) {
  auto table = parse_table(text);
  EXPECT_TRUE(table) << table.error().message;
  return table ? *table : nullptr;
}

// A table of one virtual host for every domain.
inline std::shared_ptr<const RouteTable> make_routes(const std::string& routes) {
  return make_table("virtual_hosts { name: 'all' domains: '*' " + routes + "}");
}

using Fields = std::initializer_list<std::pair<const char*, const char*>>;

inline http::HeaderMap make_request(const std::string& authority, const std::string& path,
                                    Fields fields = {}) {
  http::HeaderMap headers;
  headers.add(http::HeaderId::Method, "GET");
  headers.add(http::HeaderId::Scheme, "http");
  headers.add(http::HeaderId::Authority, authority);
  headers.add(http::HeaderId::Path, path);
  for (const auto& [name, value] : fields) headers.add(http::header_id(name), name, value);
  return headers;
}

// The name of the route chosen; "-" for none.
inline std::string route_of(const RouteTable& table, const http::HeaderMap& headers,
                            uint64_t random = 0) {
  const Route* route = table.match(headers, StreamInfo(), random);
  return route != nullptr ? route->name : "-";
}

}  // namespace sennit::proxy

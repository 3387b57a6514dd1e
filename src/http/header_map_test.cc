#include "http/header_map.h"

#include <gtest/gtest.h>

#include <utility>

namespace sennit::http {
namespace {

TEST(HeaderNames, EachIdIsFoundByItsName) {
  for (size_t id = 1; id < static_cast<size_t>(HeaderId::Count); ++id) {
    const std::string_view name = header_name(static_cast<HeaderId>(id));
    EXPECT_FALSE(name.empty()) << id;
    EXPECT_EQ(static_cast<size_t>(header_id(name)), id) << name;
  }
}

TEST(HeaderNames, EnumAndNamesGoTogether) {
  EXPECT_EQ(header_name(HeaderId::PseudoProtocol), ":protocol");
  EXPECT_EQ(header_name(HeaderId::Date), "date");
  EXPECT_EQ(header_name(HeaderId::GrpcStatus), "grpc-status");
  EXPECT_EQ(header_name(HeaderId::Server), "server");
  EXPECT_EQ(header_name(HeaderId::Via), "via");
  EXPECT_EQ(header_name(HeaderId::XEnvoyRetryOn), "x-envoy-retry-on");
  EXPECT_EQ(header_name(HeaderId::XForwardedProto), "x-forwarded-proto");
}

TEST(HeaderNames, OthersHaveNone) {
  for (const std::string_view name : {"", "x", "Host", "hosts", "x-request-ie", "content-lengtH"}) {
    EXPECT_EQ(header_id(name), HeaderId::None) << name;
  }
}

TEST(HeaderMap, KeepsFieldsInOrderAndApart) {
  HeaderMap map;
  map.add("x-one", "1");
  map.add(HeaderId::SetCookie, "a=1");
  map.add("set-cookie", "b=2");
  ASSERT_EQ(map.size(), 3u);
  EXPECT_EQ(map[0].name, "x-one");
  EXPECT_EQ(map[1].value, "a=1");
  EXPECT_EQ(map[2].id, HeaderId::SetCookie);
  EXPECT_EQ(map[2].value, "b=2");
}

TEST(HeaderMap, GetFindsTheFirst) {
  HeaderMap map;
  map.add("x-a", "1");
  map.add("x-a", "2");
  EXPECT_EQ(map.get("x-a"), "1");
  EXPECT_EQ(map.get("x-b"), std::nullopt);
  EXPECT_EQ(map.get(HeaderId::Host), std::nullopt);
}

TEST(HeaderMap, SetReplacesAllInTheFirstOnesPlace) {
  HeaderMap map;
  map.add("x-a", "1");
  map.add("x-b", "b");
  map.add("x-a", "2");
  map.set("x-a", "a longer value");
  ASSERT_EQ(map.size(), 2u);
  EXPECT_EQ(map[0].value, "a longer value");
  EXPECT_EQ(map[1].name, "x-b");
}

TEST(HeaderMap, SetByIdReplacesAll) {
  HeaderMap map;
  map.add(HeaderId::Via, "one");
  map.add("x-b", "b");
  map.add(HeaderId::Via, "two");
  map.set(HeaderId::Via, "z");
  ASSERT_EQ(map.size(), 2u);
  EXPECT_EQ(map.get(HeaderId::Via), "z");
}

TEST(HeaderMap, AppendJoins) {
  HeaderMap map;
  map.append_to(HeaderId::XForwardedFor, "10.0.0.1");
  map.append_to(HeaderId::XForwardedFor, "10.0.0.2");
  EXPECT_EQ(map.get(HeaderId::XForwardedFor), "10.0.0.1, 10.0.0.2");
}

TEST(HeaderMap, RemoveCounts) {
  HeaderMap map;
  map.add("x-a", "1");
  map.add(HeaderId::Te, "trailers");
  map.add("x-a", "2");
  EXPECT_EQ(map.remove("x-a"), 2u);
  EXPECT_EQ(map.remove("x-a"), 0u);
  EXPECT_EQ(map.remove(HeaderId::Te), 1u);
  EXPECT_FALSE(map.has(HeaderId::Te));
  EXPECT_TRUE(map.empty());
}

TEST(HeaderMap, RemoveIfForgetsIds) {
  HeaderMap map;
  map.add(HeaderId::Te, "x");
  map.add(HeaderId::Via, "y");
  EXPECT_EQ(map.remove_if([](const HeaderMap::Field& f) { return f.value == "x"; }), 1u);
  EXPECT_FALSE(map.has(HeaderId::Te));
  EXPECT_TRUE(map.has(HeaderId::Via));
}

TEST(HeaderMap, ValuesMayComeFromTheMapItself) {
  HeaderMap map;
  map.add("x-long", std::string(900, 'v'));
  for (int i = 0; i < 8; ++i) map.add(*map.get("x-long"), *map.get("x-long"));
  map.set("x-copy", *map.get("x-long"));
  EXPECT_EQ(map[8].value, std::string(900, 'v'));
  EXPECT_EQ(map[8].name, std::string(900, 'v'));
  EXPECT_EQ(map.get("x-copy"), std::string(900, 'v'));
}

TEST(HeaderMap, CloneIsIndependent) {
  HeaderMap map;
  map.add(HeaderId::Path, "/a");
  map.add("x-a", "1");
  HeaderMap copy = map.clone();
  map.set(HeaderId::Path, "/b");
  map.remove("x-a");
  EXPECT_EQ(copy.path(), "/a");
  EXPECT_EQ(copy.get("x-a"), "1");
}

TEST(HeaderMap, MovedFromIsEmptyAndUsable) {
  HeaderMap map;
  map.add("x-a", "1");
  HeaderMap other = std::move(map);
  EXPECT_TRUE(map.empty());
  map.add("x-b", "2");
  EXPECT_EQ(other.get("x-a"), "1");
  EXPECT_EQ(map.get("x-b"), "2");
}

TEST(HeaderMap, RecycledStorageStartsEmpty) {
  {
    HeaderMap map;
    map.add(HeaderId::Te, "x");
  }
  HeaderMap map;
  map.add("x-b", "2");
  EXPECT_EQ(map.size(), 1u);
  EXPECT_FALSE(map.has(HeaderId::Te));
}

TEST(HeaderMap, JoinsAllValues) {
  HeaderMap map;
  std::string storage;
  EXPECT_EQ(map.get_all("accept", storage), std::nullopt);
  map.add(HeaderId::Accept, "a");
  EXPECT_EQ(map.get_all("accept", storage), "a");
  map.add(HeaderId::Accept, "b");
  EXPECT_EQ(map.get_all("accept", storage), "a,b");
}

TEST(HeaderMap, StatusIsZeroWhereMalformed) {
  HeaderMap map;
  EXPECT_EQ(map.status(), 0);
  map.set(HeaderId::Status, "204");
  EXPECT_EQ(map.status(), 204);
  map.set(HeaderId::Status, "2x4");
  EXPECT_EQ(map.status(), 0);
}

TEST(HeaderMap, KeepsRawNames) {
  HeaderMap map;
  map.add_preserved(HeaderId::UserAgent, "user-agent", "User-Agent", "me");
  map.add_preserved(HeaderId::None, "x-abc", "X-aBC", "1");
  map.add("x-plain", "2");
  EXPECT_EQ(map[0].name, "user-agent");
  EXPECT_EQ(map.raw_name(0), "User-Agent");
  EXPECT_EQ(map[1].name, "x-abc");
  EXPECT_EQ(map.raw_name(1), "X-aBC");
  EXPECT_EQ(map.raw_name(2), "x-plain");
}

TEST(HeaderMap, ByteSizeCountsNamesAndValues) {
  HeaderMap map;
  map.add(HeaderId::Te, "abc");
  map.add("x-y", "z");
  EXPECT_EQ(map.byte_size(), 2u + 3 + 3 + 1);
}

}  // namespace
}  // namespace sennit::http

#include "mesh/api/duration.h"

#include <gtest/gtest.h>

namespace sennit::mesh {
namespace {

using namespace std::chrono_literals;

TEST(Duration, ReadsWhatGoWrites) {
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("100ms"), 100ms);
  EXPECT_EQ(parse_duration("-2s"), -2s);
  EXPECT_EQ(parse_duration("0"), 0ns);
  EXPECT_EQ(parse_duration("3us"), 3us);
}

TEST(Duration, RefusesTheRest) {
  for (const char* text : {"", "5", "s", "1.s.", "1d", "1 s", "10000000h", "1s1", "."})
    EXPECT_FALSE(parse_duration(text)) << text;
}

}  // namespace
}  // namespace sennit::mesh

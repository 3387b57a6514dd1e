#include "cli/up/procfile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sennit::cli {
namespace {

TEST(Procfile, ReadsNamesAndCommands) {
  auto entries = parse_procfile("# two\nweb: A=1 ./web --port 1:2\n\n  db:./db\n", "Procfile");
  ASSERT_TRUE(entries.has_value());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].name, "web");
  EXPECT_EQ((*entries)[0].command, "A=1 ./web --port 1:2");
  EXPECT_EQ((*entries)[1].command, "./db");
}

TEST(Procfile, ErrorsNameTheLine) {
  for (const char* text : {"web: a\nnonsense\n", "web: a\nweb: b\n", "web: a\ndb:\n"}) {
    auto entries = parse_procfile(text, "Procfile");
    ASSERT_FALSE(entries.has_value()) << text;
    EXPECT_THAT(entries.error().message, testing::StartsWith("Procfile:2: "));
  }
}

}  // namespace
}  // namespace sennit::cli

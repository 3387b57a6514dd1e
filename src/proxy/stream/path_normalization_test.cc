#include "proxy/stream/path_normalization.h"

#include <gtest/gtest.h>

namespace sennit::proxy {
namespace {

class PathNormalization : public testing::Test {
 protected:
  std::string normal(std::string_view path) {
    std::string out;
    switch (normalize_path(path, settings, out)) {
      case PathVerdict::Unchanged:
        return std::string(path);
      case PathVerdict::Changed:
        return out;
      case PathVerdict::Redirect:
        return "redirect " + out;
      case PathVerdict::Reject:
        break;
    }
    return "reject";
  }
  stats::Registry registry;
  HcmSettings settings{registry, "test"};
};

TEST_F(PathNormalization, ResolvesDotSegments) {
  settings.normalize_path = true;
  EXPECT_EQ(normal("/a/./b/../c"), "/a/c");
  EXPECT_EQ(normal("/a/%2e%2E/b"), "/b");
  EXPECT_EQ(normal("/../.."), "/");
  EXPECT_EQ(normal("/a/.."), "/");
  EXPECT_EQ(normal("/a/b/."), "/a/b/");
  EXPECT_EQ(normal("/a/.../b"), "/a/.../b");
}

TEST_F(PathNormalization, DecodesWhatNeverNeededEscaping) {
  settings.normalize_path = true;
  EXPECT_EQ(normal("/%61dmin%20%2f"), "/admin%20%2f");
  EXPECT_EQ(normal("/a\\b"), "/a/b");
}

TEST_F(PathNormalization, LeavesTheQueryAloneAndCutsTheFragment) {
  settings.normalize_path = true;
  EXPECT_EQ(normal("/a?x=/../%61"), "/a?x=/../%61");
  EXPECT_EQ(normal("/a/../b?x=%61"), "/b?x=%61");
  EXPECT_EQ(normal("/a#frag?x"), "/a");
  EXPECT_EQ(normal("/a?x=1#frag"), "/a?x=1");
}

TEST_F(PathNormalization, KeepsDoubleSlashesUnlessTheyAreMerged) {
  settings.normalize_path = true;
  EXPECT_EQ(normal("/a//b"), "/a//b");
  settings.merge_slashes = true;
  EXPECT_EQ(normal("//a///b/"), "/a/b/");
}

TEST_F(PathNormalization, RejectsAnEscapedNul) {
  settings.normalize_path = true;
  EXPECT_EQ(normal("/a%00b"), "reject");
}

TEST_F(PathNormalization, TreatsEscapedSlashesAsConfigured) {
  settings.escaped_slashes = EscapedSlashes::Reject;
  EXPECT_EQ(normal("/a%2Fb"), "reject");
  EXPECT_EQ(normal("/a?b%2Fc"), "/a?b%2Fc");
  settings.escaped_slashes = EscapedSlashes::UnescapeAndRedirect;
  EXPECT_EQ(normal("/a%2fb?q"), "redirect /a/b?q");
  settings.escaped_slashes = EscapedSlashes::UnescapeAndForward;
  EXPECT_EQ(normal("/a%2Fb"), "/a/b");
}

}  // namespace
}  // namespace sennit::proxy

#include "net/buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace sennit::net {
namespace {

TEST(Buffer, KeepsBytesInOrderAcrossAppendsAndDrains) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string piece = std::to_string(i) + ";";
    buffer.append(piece);
    expected += piece;
    if (i % 3 == 0) {
      buffer.drain(2);
      expected.erase(0, 2);
    }
  }
  EXPECT_TRUE(buffer.view() == expected);
}

TEST(Buffer, GivesItsStorageBackWhenItEmpties) {
  Buffer buffer;
  buffer.append("hello");
  EXPECT_GT(buffer.capacity_left(), 0u);
  buffer.drain(5);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity_left(), 0u);
}

TEST(Buffer, ReserveKeepsWhatIsThere) {
  Buffer buffer;
  buffer.append("abcdef");
  buffer.drain(2);
  char* space = buffer.reserve(100000);
  std::memset(space, 'x', 100000);
  buffer.commit(100000);
  EXPECT_EQ(buffer.view().substr(0, 6), "cdefxx");
  EXPECT_EQ(buffer.size(), 100004u);
}

TEST(Buffer, TakesOverTheStorageOfAnotherWhenEmpty) {
  Buffer from, to;
  from.append("payload");
  const char* bytes = from.view().data();
  to.move_from(from);
  EXPECT_EQ(to.view().data(), bytes);
  EXPECT_TRUE(from.empty());
}

TEST(Buffer, AppendsAnotherBehindItsOwnBytes) {
  Buffer from, to;
  to.append("head ");
  from.append("tail");
  to.move_from(from);
  EXPECT_EQ(to.view(), "head tail");
  EXPECT_TRUE(from.empty());
}

}  // namespace
}  // namespace sennit::net

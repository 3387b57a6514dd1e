#include "proxy/filter/grpc_stats/message_counter.h"

#include <gtest/gtest.h>

#include <string>

namespace sennit::proxy {
namespace {

TEST(GrpcMessageCounter, CountsMessagesHoweverTheyAreCut) {
  using namespace std::string_literals;
  const std::string two = "\0\0\0\0\3abc\1\0\0\0\0"s;
  for (size_t cut = 0; cut <= two.size(); ++cut) {
    GrpcMessageCounter counter;
    counter.count(two.substr(0, cut));
    counter.count(two.substr(cut));
    EXPECT_EQ(counter.messages(), 2u) << "cut at " << cut;
  }
}

TEST(GrpcMessageCounter, ReadsTheWholeLength) {
  using namespace std::string_literals;
  GrpcMessageCounter counter;
  counter.count("\0\0\0\1\2"s + std::string(258, '\0'));
  EXPECT_EQ(counter.messages(), 1u);
  counter.count("\0\0\0\0\0"s);
  EXPECT_EQ(counter.messages(), 2u);
}

}  // namespace
}  // namespace sennit::proxy

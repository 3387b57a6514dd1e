#include "mesh/api/grpc_status.h"

#include <gtest/gtest.h>

namespace sennit::mesh {
namespace {

TEST(GrpcStatusCode, IsTheNumberThatGrpcGivesTheName) {
  EXPECT_EQ(grpc_status_code("OK"), 0u);
  EXPECT_EQ(grpc_status_code("UNAVAILABLE"), 14u);
  EXPECT_EQ(grpc_status_code("UNAUTHENTICATED"), 16u);
}

TEST(GrpcStatusCode, KnowsNoOtherNames) {
  EXPECT_FALSE(grpc_status_code("unavailable").has_value());
  EXPECT_FALSE(grpc_status_code("").has_value());
}

}  // namespace
}  // namespace sennit::mesh

#include "mesh/api/grpc_status.h"

#include <iterator>

namespace sennit::mesh {

std::optional<uint32_t> grpc_status_code(std::string_view name) {
  // In the order of the codes.
  static constexpr std::string_view kNames[] = {"OK",
                                                "CANCELLED",
                                                "UNKNOWN",
                                                "INVALID_ARGUMENT",
                                                "DEADLINE_EXCEEDED",
                                                "NOT_FOUND",
                                                "ALREADY_EXISTS",
                                                "PERMISSION_DENIED",
                                                "RESOURCE_EXHAUSTED",
                                                "FAILED_PRECONDITION",
                                                "ABORTED",
                                                "OUT_OF_RANGE",
                                                "UNIMPLEMENTED",
                                                "INTERNAL",
                                                "UNAVAILABLE",
                                                "DATA_LOSS",
                                                "UNAUTHENTICATED"};
  for (uint32_t code = 0; code < std::size(kNames); ++code) {
    if (kNames[code] == name) return code;
  }
  return std::nullopt;
}

}  // namespace sennit::mesh

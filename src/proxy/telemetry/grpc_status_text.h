// gRPC status codes as %GRPC_STATUS% prints them ("OK", "DeadlineExceeded"); empty beyond 16.
#pragma once

#include <string_view>

namespace sennit::proxy {
std::string_view grpc_status_text(int status);
}

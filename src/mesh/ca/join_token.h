// The join token: the secret by which a workload's agent proves to the CA that it was started by
// someone whom the operator trusts, before it has a certificate. One per state directory, in
// STATE/join-token (0600), made at first start; whoever can read it may take any identity of the
// trust domain, so it is for machines of one operator. Renewal uses the certificate itself.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sennit::mesh {

// Reads STATE/join-token, making it where there is none.
Result<std::string> load_or_create_join_token(const std::filesystem::path& state);

// Compares in constant time.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace sennit::mesh

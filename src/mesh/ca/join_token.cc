#include "mesh/ca/join_token.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/unique_fd.h"

namespace sennit::mesh {
namespace {

constexpr size_t kTokenBytes = 32;  // as many as the identity keys' strength asks for, twice over

}  // namespace

Result<std::string> load_or_create_join_token(const std::filesystem::path& state) {
  const std::filesystem::path path = state / "join-token";
  if (!std::filesystem::exists(path)) {
    unsigned char bytes[kTokenBytes];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return fail("no randomness for the join token");
    std::string hex;
    for (unsigned char byte : bytes) hex += fmt::format("{:02x}", byte);
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.valid() ||
        ::write(fd.get(), hex.data(), hex.size()) != static_cast<ssize_t>(hex.size()))
      return fail("cannot write {}: {}", path.string(), std::strerror(errno));
    return hex;
  }
  std::ifstream file(path);
  std::string token;
  if (!(file >> token) || token.size() < kTokenBytes)
    return fail("{} holds no join token: delete it and start again to make a new one",
                path.string());
  return token;
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace sennit::mesh

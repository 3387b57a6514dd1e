// Envoy's SDS on a unix socket: hands a proxy beside it the secrets `default` (its certificate and
// key) and `ROOTCA` (the trust bundle), and pushes new ones as they come, so that sennit-proxy and
// Envoy alike rotate without a restart. Anyone who can open the socket gets the key: it is made
// with mode 0600. Thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "identity/agent.h"

namespace sennit::identity {

class SdsServer {
 public:
  static Result<std::unique_ptr<SdsServer>> listen(const std::filesystem::path& socket);
  ~SdsServer();

  void update(const Credentials& credentials);

 private:
  SdsServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sennit::identity

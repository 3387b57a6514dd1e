// The client of Istio's certificate service. The first call proves itself by a join token; once a
// certificate is held, by that (mutual TLS). Used from one thread at a time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace sennit::identity {

class CaClient {
 public:
  struct Options {
    std::string address;      // "127.0.0.1:15012"
    std::string server_name;  // name in the CA's certificate; empty: the address's host
    std::string root_pem;     // pins the control plane
    std::string token;        // join token; may be empty
    std::chrono::seconds deadline{5};
  };
  explicit CaClient(Options options);

  // The chain in PEM, leaf first, root last.
  Result<std::vector<std::string>> sign(const std::string& request_pem,
                                        std::chrono::seconds lifetime);
  // From now on prove with this certificate.
  void use_certificate(const std::string& key_pem, const std::string& chain_pem);

 private:
  Options options_;
  std::shared_ptr<grpc::Channel> channel_;
  bool has_certificate_ = false;
};

}  // namespace sennit::identity

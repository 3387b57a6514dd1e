// A workload's identity on the workload's own machine: makes the key, asks the mesh's CA for a
// certificate (the key never leaves), renews it well before it ends, and tells its listener (the
// SDS server that feeds sennit-proxy or Envoy). A renewal that fails is tried again with growing,
// jittered pauses while the old certificate lasts, and is loud about it.
//
// One thread of its own; `current` may be called from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "base/result.h"
#include "identity/ca_client.h"
#include "pki/x509.h"

namespace sennit::identity {

// What a proxy needs to speak mTLS, in PEM.
struct Credentials {
  std::string key, chain, trust_bundle;
  std::chrono::system_clock::time_point not_before, not_after;
};

struct AgentOptions {
  pki::WorkloadIdentity identity;
  std::chrono::seconds lifetime{0};  // asked of the CA; zero: its default
  pki::KeyType key_type = pki::KeyType::EcdsaP256;
};

class Agent {
 public:
  using OnUpdate = std::function<void(const Credentials&)>;
  Agent(AgentOptions options, CaClient& ca, OnUpdate on_update);
  ~Agent();

  // Gets the first certificate (tries until `deadline`; the CA may be starting), then renews from
  // a thread of its own.
  Status start(std::chrono::steady_clock::time_point deadline);
  void stop();
  std::optional<Credentials> current() const;

 private:
  Status renew();
  void run();
  std::chrono::milliseconds until_renewal();
  // Waits, or returns early when stopping.
  bool pause(std::chrono::milliseconds time);

  AgentOptions options_;
  CaClient& ca_;
  OnUpdate on_update_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::optional<Credentials> current_;
  std::mt19937_64 random_{std::random_device{}()};
  std::thread thread_;
};

}  // namespace sennit::identity

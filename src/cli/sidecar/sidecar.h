// One proxy with what it needs to live beside a workload: its loopback network, its identity (key,
// certificate, renewal, SDS), its bootstrap, and the process itself, started again if it dies.
// Used by `sennit run` (sidecars) and `sennit gateway`. Start and destroy it on one thread.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/sidecar/bootstrap.h"
#include "cli/sidecar/loopback.h"
#include "identity/agent.h"
#include "identity/ca_client.h"
#include "identity/sds_server.h"
#include "process/child.h"

namespace sennit::cli {

struct SidecarOptions {
  Workload workload;
  std::string control_address, control_name;
  bool control_plaintext = false;
  std::string ca_address;       // empty: control_address
  std::filesystem::path state;  // root-cert.pem, join-token; run/NAME.json is written here
  std::filesystem::path ca_root, token_file;  // instead of those in `state`
  std::string address;                        // empty: a loopback network of its own
  std::string proxy;                          // "sennit-proxy" or the path of an Envoy
  bool proxy_is_envoy = false;
  std::string log_level = "warning";
  int concurrency = 0;  // 0: the proxy's default for sidecars, 2
  std::chrono::seconds certificate_lifetime{0};
  std::chrono::seconds start_timeout{60};
};

class Sidecar {
 public:
  // Everything up and configured when this returns: the identity is there, the proxy is ready.
  static Result<std::unique_ptr<Sidecar>> start(SidecarOptions options);
  ~Sidecar();

  // What the application learns: NAME_SERVICE_HOST / _PORT of each service, PORT, http_proxy.
  std::map<std::string, std::string> application_environment() const;
  std::string admin() const;  // "HOST:PORT"
  const std::string& address() const { return address_; }

  // Starts the proxy again if it has ended. Call now and then.
  void keep_alive();
  // Lets requests in flight end, then stops the proxy.
  void stop(std::chrono::milliseconds grace);

 private:
  explicit Sidecar(SidecarOptions options) : options_(std::move(options)) {}
  Status choose_addresses();
  Status start_identity();
  Status start_proxy();
  Status wait_ready(std::chrono::steady_clock::time_point deadline);
  void write_run_file() const;

  SidecarOptions options_;
  std::optional<LoopbackNetwork> network_;
  std::string address_;
  std::map<std::string, uint16_t> inbound_ports_;
  std::string admin_host_;
  uint16_t admin_port_ = 15000;
  uint16_t http_proxy_port_ = 0;
  std::filesystem::path directory_;  // private, removed at the end: sds.sock, bootstrap.json
  std::unique_ptr<identity::CaClient> ca_;
  std::unique_ptr<identity::SdsServer> sds_;
  std::unique_ptr<identity::Agent> agent_;
  std::optional<process::Child> proxy_;
  std::chrono::steady_clock::time_point proxy_started_;
  std::chrono::milliseconds restart_pause_{100};
};

// The environment variables of one service address, as Kubernetes names them: "reviews" in the
// caller's own namespace, "reviews.other" and foreign hosts by all their labels.
std::string service_variable_prefix(const std::string& host, const std::string& caller_namespace);

}  // namespace sennit::cli

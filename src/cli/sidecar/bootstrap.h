// The bootstrap of a sidecar or gateway: plain Envoy v3, the same file for sennit-proxy and for
// real Envoy. Secrets come from `sds-grpc` (a unix socket of the identity module), configuration
// from `xds-grpc` (delta ADS of the control plane over mutual TLS).
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "cli/sidecar/workload.h"

namespace sennit::cli {

struct BootstrapOptions {
  Workload workload;
  std::string address;                            // the workload's, where others reach it
  std::string loopback_prefix;                    // "127.20.7"; outbound listeners
  std::map<std::string, uint16_t> inbound_ports;  // mesh-facing, by port name
  uint16_t http_proxy_port = 0;
  std::string admin_address;
  uint16_t admin_port = 15000;
  std::string control_address;     // "127.0.0.1:15012"
  std::string control_name;        // name in the control plane's certificate
  bool control_plaintext = false;  // the plaintext port instead
  std::filesystem::path sds_socket;
};

std::string make_bootstrap(const BootstrapOptions& options);

}  // namespace sennit::cli

// The security layer of listeners and clusters, from xDS `transport_socket` configuration:
// raw_buffer, tls (downstream and upstream), upstream proxy_protocol. TLS material comes inline,
// from files, or by SDS through SecretManager; a new certificate takes effect for the next
// handshake, connections that exist go on.
#pragma once

#include <envoy/config/core/v3/base.pb.h>
#include <envoy/extensions/transport_sockets/tls/v3/secret.pb.h>
#include <envoy/extensions/transport_sockets/tls/v3/tls.pb.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/connection.h"

namespace sennit::proxy {

// What one connection adds to the factory's configuration.
struct TransportSocketParams {
  std::string_view server_name_override;       // upstream SNI where not configured (auto_sni)
  std::span<const std::string> alpn_override;  // istio.alpn; replaces the configured list
  std::span<const std::string> alpn_fallback;  // from the HTTP version, where none is configured
  const net::Address* downstream_remote = nullptr;  // for PROXY protocol
  const net::Address* downstream_local = nullptr;
};

// Thread-safe after construction: workers call create().
class TransportSocketFactory {
 public:
  virtual ~TransportSocketFactory() = default;
  // nullptr while a secret has not come: the caller fails the connection ("TLS_error: Secret is
  // not supplied by SDS") and counts it.
  virtual std::unique_ptr<net::TransportSocket> create(
      const TransportSocketParams& params) const = 0;
  virtual bool secure() const = 0;  // TLS
  virtual bool ready() const = 0;
  // ALPN is configured or implied, so the HTTP version may come from the handshake.
  virtual bool supports_alpn() const = 0;
};

// All secrets of the process by SDS name. Main thread, but for what factories read.
class SecretManager {
 public:
  SecretManager();
  ~SecretManager();
  // Called for each SDS name the first time that some configuration needs it.
  using Subscribe = std::function<void(const std::string& name,
                                       const envoy::config::core::v3::ConfigSource& source)>;
  void set_subscriber(Subscribe subscribe);
  // Bootstrap's static_resources.secrets, and SDS. An error leaves the last good secret in use.
  Status update(const envoy::extensions::transport_sockets::tls::v3::Secret& secret);
  void add_static(const envoy::extensions::transport_sockets::tls::v3::Secret& secret);

  // For /certs and config_dump: names, expiry, serials; never keys.
  struct Entry {
    std::string name, version_info, kind;  // "tls_certificate", "validation_context"
    std::vector<std::string> certificate_pems;
    std::chrono::system_clock::time_point last_updated;
    bool present = false;
  };
  std::vector<Entry> entries() const;
  // Seconds until the first certificate in use ends; for a gauge and warnings.
  std::optional<std::chrono::seconds> first_expiry() const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Errors name the field by its path below `transport_socket`. An absent transport socket (empty
// name) is raw_buffer.
Result<std::shared_ptr<const TransportSocketFactory>> make_downstream_transport(
    const envoy::config::core::v3::TransportSocket& config, SecretManager& secrets);
Result<std::shared_ptr<const TransportSocketFactory>> make_upstream_transport(
    const envoy::config::core::v3::TransportSocket& config, SecretManager& secrets);

}  // namespace sennit::proxy

// What SecretManager keeps, for the files of this folder.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/tls/transport_sockets.h"

namespace sennit::proxy {

// One secret by name, present or awaited, and who must hear of a new one.
struct SecretSlot {
  using Secret = envoy::extensions::transport_sockets::tls::v3::Secret;
  using Listener = std::function<Status()>;

  std::string name;
  std::optional<Secret> secret;  // data sources resolved to inline bytes
  std::chrono::system_clock::time_point last_updated;
  bool is_static = false;
  std::vector<std::weak_ptr<Listener>> listeners;
};

struct SecretManager::Impl {
  Subscribe subscribe;
  std::map<std::string, SecretSlot> slots;
  std::vector<std::pair<std::string, envoy::config::core::v3::ConfigSource>> awaited;

  // The slot of `config.name()`, asked for by SDS where nobody has yet. Error: a static secret of
  // that name does not exist and there is no source to ask.
  Result<SecretSlot*> require(
      const envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig& config);
};

}  // namespace sennit::proxy

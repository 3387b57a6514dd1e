// What the admin port answers: Envoy's endpoints, by Envoy's names and formats.
#pragma once

#include <envoy/admin/v3/server_info.pb.h>
#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <vector>

#include "proxy/admin/admin_server.h"
#include "proxy/stats/stats.h"
#include "proxy/tls/transport_sockets.h"
#include "proxy/upstream/cluster_manager_main.h"

namespace sennit::proxy {

// What the endpoints show and do. All are called on the main thread.
struct AdminContext {
  stats::Registry& stats;
  ClusterManager& clusters;
  SecretManager& secrets;
  std::function<envoy::admin::v3::ServerInfo()> server_info;
  std::function<std::vector<std::pair<std::string, net::Address>>()> listeners;
  // BootstrapConfigDump, ListenersConfigDump, RoutesConfigDump; clusters and secrets are added.
  std::function<std::vector<std::unique_ptr<google::protobuf::Message>>()> config_dumps;
  std::function<bool(const std::string&)> set_log_level;
  std::function<void(bool graceful)> drain_listeners;
  std::function<void()> quit;
};

std::vector<AdminHandler> admin_handlers(AdminContext context);

// Replaces private keys, passwords and ticket keys by "[redacted]", inside Any, too.
void redact_secrets(google::protobuf::Message& message);

}  // namespace sennit::proxy

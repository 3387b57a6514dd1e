#include "proxy/config/supported_bootstrap_fields.h"

namespace sennit::proxy {
namespace {

const SupportedFields kConfigSource = {
    {"envoy.config.core.v3.ConfigSource",
     {"ads", "api_config_source", "initial_fetch_timeout", "resource_api_version", "self"}},
    {"envoy.config.core.v3.ApiConfigSource",
     {"api_type", "transport_api_version", "grpc_services", "set_node_on_first_message_only"}},
    {"envoy.config.core.v3.GrpcService", {"envoy_grpc", "timeout", "initial_metadata"}},
    {"envoy.config.core.v3.GrpcService.EnvoyGrpc", {"cluster_name", "authority"}},
};

SupportedFields bootstrap_table() {
  SupportedFields table = kConfigSource;
  // Accepted without effect: flush intervals and stats tags (statistics are pulled, and their tags
  // are fixed), the runtime's static layers (feature flags of Envoy's own code).
  table["envoy.config.bootstrap.v3.Bootstrap"] = {"node",
                                                  "admin",
                                                  "static_resources",
                                                  "dynamic_resources",
                                                  "layered_runtime",
                                                  "stats_flush_interval",
                                                  "stats_config",
                                                  "default_regex_engine",
                                                  "cluster_manager",
                                                  "typed_dns_resolver_config",
                                                  "header_prefix",
                                                  "node_context_params"};
  table["envoy.config.bootstrap.v3.Bootstrap.StaticResources"] = {"listeners", "clusters",
                                                                  "secrets"};
  table["envoy.config.bootstrap.v3.Bootstrap.DynamicResources"] = {"lds_config", "cds_config",
                                                                   "ads_config"};
  table["envoy.config.bootstrap.v3.Admin"] = {"address", "access_log_path", "profile_path",
                                              "ignore_global_conn_limit"};
  table["envoy.config.bootstrap.v3.ClusterManager"] = {"local_cluster_name", "outlier_detection"};
  return table;
}

}  // namespace

const SupportedFields& supported_config_source_fields() {
  return kConfigSource;
}

Status refuse_unsupported_bootstrap_fields(
    const envoy::config::bootstrap::v3::Bootstrap& bootstrap) {
  static const SupportedFields kTable = bootstrap_table();
  auto without_resources = bootstrap;
  // Judged by the rooms that build them, with the index that their errors name.
  without_resources.clear_static_resources();
  without_resources.clear_node();
  return refuse_unsupported(without_resources, kTable);
}

}  // namespace sennit::proxy

#include "proxy/server/options.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

namespace sennit::proxy {
namespace {

constexpr char kVersion[] = "sennit-proxy 0.1.0";

// Flags of Envoy's that concern what we do not have (hot restart, per-component levels): scripts
// that pass them go on working.
struct WithoutEffect {
  std::string component_log_level, log_format, base_id, base_id_path, drain_strategy, socket_path;
  uint32_t parent_shutdown_time_s = 0, file_flush_interval_msec = 0, restart_epoch = 0;
};

void add_flags_without_effect(CLI::App& app, WithoutEffect& values) {
  app.add_option("--component-log-level", values.component_log_level, "accepted, without effect");
  app.add_option("--log-format", values.log_format, "accepted, without effect");
  app.add_option("--parent-shutdown-time-s", values.parent_shutdown_time_s,
                 "accepted, without effect: there is no hot restart");
  app.add_option("--file-flush-interval-msec", values.file_flush_interval_msec,
                 "accepted, without effect: access logs are written at once");
  app.add_option("--base-id", values.base_id, "accepted, without effect");
  app.add_option("--base-id-path", values.base_id_path, "accepted, without effect");
  app.add_option("--socket-path", values.socket_path, "accepted, without effect");
  app.add_option("--drain-strategy", values.drain_strategy, "gradual or immediate; no effect")
      ->check(CLI::IsMember({"gradual", "immediate"}));
  app.add_option("--restart-epoch", values.restart_epoch, "only 0: there is no hot restart")
      ->check(CLI::Range(0, 0));
  for (const char* flag :
       {"--use-dynamic-base-id", "--disable-hot-restart", "--allow-unknown-static-fields",
        "--reject-unknown-dynamic-fields", "--skip-deprecated-logs", "--cpuset-threads"}) {
    app.add_flag(flag)->description("accepted, without effect");
  }
}

}  // namespace

bool set_log_level(const std::string& name) {
  const auto level = name == "warning" ? spdlog::level::warn : spdlog::level::from_str(name);
  if (level == spdlog::level::off && name != "off") return false;
  spdlog::set_level(level);
  return true;
}

ParsedOptions parse_options(int argc, const char* const* argv) {
  Options options;
  WithoutEffect without_effect;
  std::string mode = "serve";
  uint32_t drain_time_s = 600;
  options.concurrency = std::max(1u, std::thread::hardware_concurrency());
  CLI::App app{"The data plane of the Sennit service mesh"};
  app.set_version_flag("--version", kVersion);
  app.add_option("-c,--config-path", options.bootstrap.path, "bootstrap: YAML, JSON or .pb");
  app.add_option("--config-yaml", options.bootstrap.yaml, "bootstrap, merged over the file's");
  app.add_option("--mode", mode, "serve, or only validate the bootstrap")
      ->check(CLI::IsMember({"serve", "validate"}));
  app.add_option("--concurrency", options.concurrency, "worker threads; default: one per CPU");
  app.add_option("-l,--log-level", options.log_level, "trace|debug|info|warning|error|critical|off")
      ->check(
          CLI::IsMember({"trace", "debug", "info", "warning", "warn", "error", "critical", "off"}));
  app.add_option("--log-path", options.log_path, "log to this file; default: stderr");
  app.add_option("--service-node", options.bootstrap.service_node, "the node's id");
  app.add_option("--service-cluster", options.bootstrap.service_cluster, "the node's cluster");
  app.add_option("--service-zone", options.bootstrap.service_zone, "the node's zone");
  app.add_option("--drain-time-s", drain_time_s,
                 "how long replaced listeners' connections may go on");
  app.add_option("--admin-address-path", options.admin_address_path,
                 "write the admin's address to this file");
  add_flags_without_effect(app, without_effect);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error)};
  }
  options.validate_only = mode == "validate";
  options.concurrency = std::max(1u, options.concurrency);
  options.drain_time = std::chrono::seconds(drain_time_s);
  return {std::move(options), 0};
}

}  // namespace sennit::proxy

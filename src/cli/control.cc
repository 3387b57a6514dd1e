// sennit control: the control plane in the foreground.
#include <memory>

#include "base/log.h"
#include "cli/signals.h"
#include "cli/verb.h"
#include "mesh/server/control_plane.h"

namespace sennit::cli {
namespace {

struct Flags {
  mesh::ControlOptions options;
  int debounce = 10, deregister = 2000, lifetime = 24 * 3600;
  std::string log_level = "info";
};

int control(Flags flags) {
  Signals signals;
  spdlog::set_level(spdlog::level::from_str(flags.log_level));
  flags.options.debounce = std::chrono::milliseconds(flags.debounce);
  flags.options.deregister_after = std::chrono::milliseconds(flags.deregister);
  flags.options.certificate_lifetime = std::chrono::seconds(flags.lifetime);
  auto control = mesh::ControlPlane::start(std::move(flags.options));
  if (!control) return report(control.error().message);
  while (!signals.wait(std::chrono::hours(1))) {
  }
  log::info("control", "stopping");
  return 0;
}

}  // namespace

void add_control(Context context) {
  auto flags = std::make_shared<Flags>();
  flags->options.grpc_address = kDefaultGrpcAddress;
  flags->options.secure_grpc_address = kDefaultSecureAddress;
  flags->options.http_address = kDefaultHttpAddress;
  flags->options.state = default_state_directory();
  CLI::App* verb = context.app.add_subcommand("control", "Run the control plane");
  verb->footer(
      "Reads Istio YAML from directories, watches them, and configures proxies over xDS.\n\n"
      "Examples:\n"
      "  sennit control --config mesh/\n"
      "  sennit control --config mesh/ --config overrides/ --state /var/lib/sennit --trust-domain "
      "example.org");
  verb->add_option("-c,--config", flags->options.config,
                   "Directory of YAML files (repeatable, watched)")
      ->required();
  verb->add_option("--mesh-config", flags->options.mesh_config, "Istio MeshConfig file");
  verb->add_option("--state", flags->options.state,
                   "Where the CA's root and records are (mode 0700)")
      ->capture_default_str();
  verb->add_option("--trust-domain", flags->options.trust_domain,
                   "Trust domain (default: the mesh configuration's, else cluster.local)");
  verb->add_option("--grpc-addr", flags->options.grpc_address, "Plaintext xDS; empty: none")
      ->capture_default_str();
  verb->add_option("--secure-grpc-addr", flags->options.secure_grpc_address,
                   "Mutual-TLS xDS and the certificate service; empty: none")
      ->capture_default_str();
  verb->add_option("--http-addr", flags->options.http_address,
                   "Probes, metrics, debug; empty: none")
      ->capture_default_str();
  verb->add_option("--server-name", flags->options.server_names,
                   "Names in the control plane's certificate (repeatable)");
  verb->add_option("--debounce-ms", flags->debounce, "Changes within this time are one push")
      ->capture_default_str();
  verb->add_option("--deregister-after-ms", flags->deregister,
                   "How long a workload stays registered after its proxy is gone")
      ->capture_default_str();
  verb->add_option("--certificate-lifetime", flags->lifetime,
                   "Seconds that workload certificates last")
      ->capture_default_str();
  verb->add_option("-l,--log-level", flags->log_level,
                   "trace, debug, info, warning, error, critical, off")
      ->capture_default_str();
  verb->callback([flags, context] { context.exit_code = control(*flags); });
}

}  // namespace sennit::cli

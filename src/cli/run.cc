// sennit run: a command with a sidecar; sennit gateway: a gateway's proxy alone.
#include <iostream>
#include <memory>

#include "base/log.h"
#include "cli/sidecar/sidecar.h"
#include "cli/signals.h"
#include "cli/verb.h"

namespace sennit::cli {
namespace {

using namespace std::chrono_literals;

// How long a drained proxy may take to finish what is in flight.
constexpr auto kDrainGrace = 5s;

struct Flags {
  std::string group, namespace_ = "default", http_address = kDefaultHttpAddress;
  std::string control = kDefaultSecureAddress, control_name = "istiod.istio-system.svc";
  std::string xds_plaintext, proxy = "sennit-proxy", intercept = "none", address,
                             log_level = "warning";
  std::string labels, service_account, state = default_state_directory().string(), ca_root,
                                       token_file;
  int concurrency = 0, lifetime_seconds = 0, start_seconds = 60;
  std::vector<std::string> command;
};

void add_common(CLI::App* verb, const std::shared_ptr<Flags>& flags) {
  verb->add_option("-n,--namespace", flags->namespace_, "Namespace")->capture_default_str();
  verb->add_option("--control", flags->control, "The control plane's secure address")
      ->capture_default_str();
  verb->add_option("--control-name", flags->control_name, "Name in the control plane's certificate")
      ->capture_default_str();
  verb->add_option(
      "--plaintext-xds", flags->xds_plaintext,
      "Get configuration from this plaintext address (the certificate still comes by TLS)");
  verb->add_option("--http-control", flags->http_address, "The control plane's HTTP address")
      ->capture_default_str();
  verb->add_option("--state", flags->state, "Directory with root-cert.pem and join-token")
      ->capture_default_str();
  verb->add_option("--ca-root", flags->ca_root,
                   "The mesh's root certificate, instead of STATE/root-cert.pem");
  verb->add_option("--token-file", flags->token_file,
                   "The join token, instead of STATE/join-token");
  verb->add_option("--proxy", flags->proxy, "sennit-proxy, or envoy=PATH for a real Envoy")
      ->capture_default_str();
  verb->add_option("--concurrency", flags->concurrency,
                   "Worker threads of the proxy (0: its default)");
  verb->add_option("--proxy-log-level", flags->log_level, "Log level of the proxy")
      ->capture_default_str();
  verb->add_option(
      "--address", flags->address,
      "Where other machines reach this workload (default: a loopback address of its own)");
  verb->add_option("--certificate-lifetime", flags->lifetime_seconds,
                   "Seconds that certificates are asked for (0: the CA's default)");
  verb->add_option("--start-timeout", flags->start_seconds,
                   "Seconds to wait for the control plane and the proxy")
      ->capture_default_str();
}

Result<SidecarOptions> sidecar_options(const Flags& flags) {
  SidecarOptions options;
  options.control_address = flags.xds_plaintext.empty() ? flags.control : flags.xds_plaintext;
  options.ca_address = flags.control;
  options.control_name = flags.control_name;
  options.control_plaintext = !flags.xds_plaintext.empty();
  options.state = flags.state;
  options.ca_root = flags.ca_root;
  options.token_file = flags.token_file;
  options.address = flags.address;
  options.log_level = flags.log_level;
  options.concurrency = flags.concurrency;
  options.certificate_lifetime = std::chrono::seconds(flags.lifetime_seconds);
  options.start_timeout = std::chrono::seconds(flags.start_seconds);
  constexpr std::string_view kEnvoy = "envoy=";
  if (flags.proxy.starts_with(kEnvoy)) {
    options.proxy = flags.proxy.substr(kEnvoy.size());
    options.proxy_is_envoy = true;
  } else if (flags.proxy == "sennit-proxy") {
    options.proxy = process::sibling_path("sennit-proxy");
  } else if (flags.proxy.find('=') == std::string::npos) {
    options.proxy = flags.proxy;
  } else {
    return fail("--proxy {}: write sennit-proxy, a path, or envoy=PATH", flags.proxy);
  }
  return options;
}

int run_application(Sidecar& sidecar, const Flags& flags, Signals& signals) {
  auto child = process::Child::start(
      {.arguments = flags.command, .environment = sidecar.application_environment()});
  if (!child) return report(child.error().message, 127);
  while (true) {
    if (auto signal = signals.wait(100ms)) child->signal(*signal);
    if (auto status = child->poll()) return *status;
    sidecar.keep_alive();
  }
}

int run(const Flags& flags) {
  if (flags.intercept != "none")
    return report(
        "--intercept " + flags.intercept +
            ": only `none` exists: the application is told addresses by environment variables",
        2);
  Signals signals;
  auto options = sidecar_options(flags);
  if (!options) return report(options.error().message, 2);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(flags.start_seconds);
  auto workload = fetch_workload(flags.http_address, flags.namespace_, flags.group, deadline);
  if (!workload) return report(workload.error().message);
  options->workload = *workload;
  auto sidecar = Sidecar::start(std::move(*options));
  if (!sidecar) return report(sidecar.error().message);
  // The application starts when its sidecar is ready, and the sidecar leaves last.
  const int status = run_application(**sidecar, flags, signals);
  (*sidecar)->stop(kDrainGrace);
  return status;
}

Result<Workload> gateway_workload(const Flags& flags) {
  Workload workload{
      .kind = Workload::Kind::Gateway, .name = flags.group, .namespace_ = flags.namespace_};
  workload.service_account = flags.service_account.empty() ? flags.group : flags.service_account;
  for (const std::string& pair : CLI::detail::split(flags.labels, ',')) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos)
      return fail("--labels {}: write key=value,key=value", flags.labels);
    workload.labels[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return workload;
}

int run_gateway(const Flags& flags) {
  Signals signals;
  auto options = sidecar_options(flags);
  if (!options) return report(options.error().message, 2);
  auto workload = gateway_workload(flags);
  if (!workload) return report(workload.error().message, 2);
  options->workload = *workload;
  auto sidecar = Sidecar::start(std::move(*options));
  if (!sidecar) return report(sidecar.error().message);
  while (!signals.wait(100ms)) (*sidecar)->keep_alive();
  (*sidecar)->stop(kDrainGrace);
  return 0;
}

}  // namespace

void add_run(Context context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = context.app.add_subcommand("run", "Run a command with a sidecar of the mesh");
  verb->footer(
      "The identity, labels and ports come from the Istio WorkloadGroup of that name. The command "
      "is\n"
      "told where its services are by REVIEWS_SERVICE_HOST and REVIEWS_SERVICE_PORT, and its own "
      "port\n"
      "by PORT. It starts when the sidecar is ready; its exit code is this command's.\n\n"
      "Examples:\n"
      "  sennit run --workload-group reviews-v1 -- python3 reviews.py\n"
      "  sennit run --workload-group reviews-v1 --proxy envoy=/usr/bin/envoy -- python3 "
      "reviews.py");
  verb->add_option("-g,--workload-group", flags->group, "The WorkloadGroup's name")->required();
  verb->add_option("--intercept", flags->intercept, "How traffic reaches the sidecar")
      ->capture_default_str();
  add_common(verb, flags);
  verb->add_option("command", flags->command, "The command and its arguments, after --")
      ->required();
  verb->positionals_at_end();
  verb->callback([flags, context] { context.exit_code = run(*flags); });
}

void add_gateway(Context context) {
  auto flags = std::make_shared<Flags>();
  flags->namespace_ = "istio-system";
  CLI::App* verb = context.app.add_subcommand("gateway", "Run the proxy of a gateway");
  verb->footer(
      "Serves every Gateway whose selector its labels match.\n\n"
      "Example:\n  sennit gateway ingressgateway --labels istio=ingressgateway");
  verb->add_option("name", flags->group, "The gateway's name")->required();
  verb->add_option("-l,--labels", flags->labels, "Its labels: key=value,key=value")->required();
  verb->add_option("--service-account", flags->service_account,
                   "Its service account (default: its name)");
  add_common(verb, flags);
  verb->callback([flags, context] { context.exit_code = run_gateway(*flags); });
}

}  // namespace sennit::cli

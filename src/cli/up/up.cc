// sennit up: a whole mesh from one directory.
#include <iostream>
#include <memory>

#include "cli/signals.h"
#include "cli/up/flags.h"
#include "cli/up/mesh_group.h"
#include "cli/verb.h"

namespace sennit::cli {
namespace {

int up(const UpFlags& flags) {
  Signals signals;
  auto options = flags.options();
  if (!options) return report(options.error().message, 2);
  auto group = MeshGroup::start(std::move(*options));
  if (!group) return report(group.error().message);
  std::cout << "sennit: " << (*group)->workloads()
            << " workloads are up; the control plane is http://" << (*group)->options().http_address
            << std::endl;
  for (const GatewayProcess& gateway : (*group)->gateways())
    for (uint16_t port : gateway.ports)
      std::cout << "sennit: gateway " << gateway.name << ": http://localhost:" << port << std::endl;
  int status = 0;
  while (!signals.wait(std::chrono::milliseconds(200))) {
    auto gone = (*group)->ended();
    if (!gone) continue;
    std::cout << "sennit: " << gone->name << " ended with status " << gone->status << std::endl;
    if (gone->name == "control") return report("the control plane is gone");
    status = std::max(status, gone->status);
  }
  (*group)->stop();
  return status;
}

}  // namespace

void add_up(Context context) {
  auto flags = std::make_shared<UpFlags>();
  CLI::App* verb = context.app.add_subcommand("up", "Start a whole mesh from a directory");
  verb->footer(
      "DIR has Istio YAML (in DIR/mesh, or in DIR itself) and a Procfile: one \"NAME: COMMAND\" a "
      "line,\n"
      "where NAME is a WorkloadGroup. Starts a control plane, the gateways, and each command with "
      "a\n"
      "sidecar. Ctrl-C ends all.\n\n"
      "Example:\n  sennit up examples/bookinfo");
  flags->add_to(verb);
  verb->callback([flags, context] { context.exit_code = up(*flags); });
}

}  // namespace sennit::cli

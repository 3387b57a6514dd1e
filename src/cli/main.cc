// sennit: one program for the control plane and the operator's verbs. See verb.h.
#include "cli/verb.h"

int main(int argc, char** argv) {
  CLI::App app("Sennit: a service mesh that takes Istio's configuration and needs no cluster.",
               "sennit");
  app.require_subcommand(1);
  app.footer("`sennit VERB --help` tells more of each, with examples.");
  int exit_code = 0;
  sennit::cli::Context context{app, exit_code};
  sennit::cli::add_up(context);
  sennit::cli::add_demo(context);
  sennit::cli::add_status(context);
  sennit::cli::add_apply(context);
  sennit::cli::add_validate(context);
  sennit::cli::add_control(context);
  sennit::cli::add_run(context);
  sennit::cli::add_gateway(context);
  sennit::cli::add_api_support(context);
  sennit::cli::add_version(context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);  // --help exits 0
    return code == 0 ? 0 : 2;
  }
  return exit_code;
}

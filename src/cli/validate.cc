// sennit validate: is this configuration acceptable, and what is wrong with it?
#include "mesh/analyze/validate.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/verb.h"
#include "mesh/server/views.h"

namespace sennit::cli {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string output = "table";
};

int validate(const Flags& flags) {
  mesh::Validation result = mesh::validate(flags.files, std::cin);
  if (flags.output == "table") {
    for (const mesh::Diagnostic& diagnostic : result.diagnostics)
      std::cerr << diagnostic.to_string() << "\n";
    std::cout << result.resources << " resources are good\n";
  } else {
    // JSON is YAML, too.
    std::cout << mesh::diagnostics_view(result.diagnostics);
  }
  return result.exit_status();
}

}  // namespace

void add_validate(Context context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = context.app.add_subcommand("validate", "Check configuration before it is used");
  verb->footer(
      "Exit code 0 when acceptable (warnings included), 1 when not.\n\n"
      "Examples:\n"
      "  sennit validate -f mesh/\n"
      "  sennit validate -f canary.yaml\n"
      "  cat canary.yaml | sennit validate -f -");
  verb->add_option("-f,--filename", flags->files,
                   "File, directory, or - for standard input (repeatable)")
      ->required();
  add_output_option(verb, flags->output);
  verb->callback([flags, context] { context.exit_code = validate(*flags); });
}

}  // namespace sennit::cli

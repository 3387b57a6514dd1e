// sennit version
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/verb.h"

namespace sennit::cli {

void add_version(Context context) {
  auto output = std::make_shared<std::string>("table");
  CLI::App* verb = context.app.add_subcommand("version", "Print the version");
  add_output_option(verb, *output);
  verb->callback([output] {
    if (*output == "table") {
      std::cout << "sennit " << SENNIT_VERSION << "\n";
    } else if (*output == "json") {
      std::cout << nlohmann::json{{"version", SENNIT_VERSION}}.dump() << "\n";
    } else {
      std::cout << "version: " << SENNIT_VERSION << "\n";
    }
  });
}

}  // namespace sennit::cli

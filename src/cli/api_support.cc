// sennit api-support: which fields of Istio's API are in force.
#include "mesh/api/api_support.h"

#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/verb.h"

namespace sennit::cli {
namespace {

void print(const std::string& output, const std::string& kind) {
  nlohmann::json list = nlohmann::json::array();
  for (const mesh::FieldSupport& field : mesh::api_support()) {
    if (!kind.empty() && field.kind != kind) continue;
    if (output == "table") {
      std::cout << fmt::format("{:<8} {:<22} {}\n", field.status(), field.kind, field.path);
    } else if (output == "yaml") {
      std::cout << "- {kind: " << field.kind << ", path: \"" << field.path
                << "\", status: " << field.status() << "}\n";
    } else {
      list.push_back({{"kind", field.kind}, {"path", field.path}, {"status", field.status()}});
    }
  }
  if (output == "json") std::cout << list.dump(1) << "\n";
}

}  // namespace

void add_api_support(Context context) {
  auto output = std::make_shared<std::string>("table");
  auto kind = std::make_shared<std::string>();
  CLI::App* verb =
      context.app.add_subcommand("api-support", "List Istio's fields and whether they work");
  verb->footer(
      "`works`: the field does what it does in Istio. `refused`: it is recognised, and setting it "
      "is\n"
      "warned of by name. Printed from the table that the decoder itself uses.\n\n"
      "Examples:\n  sennit api-support -o json\n  sennit api-support --kind VirtualService");
  verb->add_option("--kind", *kind, "Only this kind");
  add_output_option(verb, *output);
  verb->callback([output, kind] { print(*output, *kind); });
}

}  // namespace sennit::cli

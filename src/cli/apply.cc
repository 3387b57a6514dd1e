// sennit apply: puts resources on top of what the control plane reads, at once.
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "cli/http_client.h"
#include "cli/verb.h"

namespace sennit::cli {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string http_address = kDefaultHttpAddress, state = default_state_directory().string(),
              token_file;
};

Result<std::string> read(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path);
  if (!file) return fail("cannot read {}: {}", path, std::strerror(errno));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Positions that the control plane reports are those of the text sent, which it calls "apply".
std::string name_positions(std::string text, const std::string& path) {
  constexpr std::string_view kSent = "apply:";
  for (size_t at = 0; (at = text.find(kSent, at)) != std::string::npos; at += path.size() + 1) {
    const bool line_start = at == 0 || text[at - 1] == '\n';
    if (line_start) text.replace(at, kSent.size(), path + ":");
  }
  return text;
}

int apply_one(const Flags& flags, const std::string& path, const std::string& token) {
  auto yaml = read(path);
  if (!yaml) return report(yaml.error().message);
  auto answer =
      http_post(flags.http_address, "/v1/apply", *yaml, {{"authorization", "Bearer " + token}});
  if (!answer) return report(answer.error().message);
  std::string text = name_positions(answer->body, path == "-" ? "stdin" : path);
  (answer->status == 200 ? std::cout : std::cerr) << text;
  return answer->status == 200 ? 0 : 1;
}

int apply(const Flags& flags) {
  const std::string token_path = flags.token_file.empty()
                                     ? (std::filesystem::path(flags.state) / "join-token").string()
                                     : flags.token_file;
  std::ifstream file(token_path);
  std::string token;
  if (!(file >> token))
    return report("cannot read " + token_path +
                  ": name the control plane's --state, or a --token-file");
  int worst = 0;
  for (const std::string& path : flags.files)
    worst = std::max(worst, apply_one(flags, path, token));
  return worst;
}

}  // namespace

void add_apply(Context context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = context.app.add_subcommand("apply", "Put resources into force at once");
  verb->footer(
      "The control plane keeps them over restarts, on top of its directories, until the same "
      "resource\n"
      "is edited there. Nothing is taken unless all of a file is good.\n\n"
      "Examples:\n"
      "  sennit apply -f canary.yaml\n"
      "  cat canary.yaml | sennit apply -f -");
  verb->add_option("-f,--filename", flags->files,
                   "YAML or JSON file, - for standard input (repeatable)")
      ->required();
  verb->add_option("--http-control", flags->http_address, "The control plane's HTTP address")
      ->capture_default_str();
  verb->add_option("--state", flags->state, "The control plane's state directory")
      ->capture_default_str();
  verb->add_option("--token-file", flags->token_file,
                   "The join token, instead of STATE/join-token");
  verb->callback([flags, context] { context.exit_code = apply(*flags); });
}

}  // namespace sennit::cli

// The command line's verbs. Each file cli/VERB.cc adds one to the application; its callback sets
// the exit code: 0 done, 1 the thing asked for failed or is not so, 2 wrong usage.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

namespace sennit::cli {

struct Context {
  CLI::App& app;
  int& exit_code;
};

void add_control(Context context);
void add_run(Context context);
void add_gateway(Context context);
void add_up(Context context);
void add_demo(Context context);
void add_status(Context context);
void add_apply(Context context);
void add_validate(Context context);
void add_api_support(Context context);
void add_version(Context context);

// $SENNIT_STATE, else $XDG_STATE_HOME/sennit, else ~/.local/state/sennit.
std::filesystem::path default_state_directory();
// "json", "yaml" or "table" for every verb that prints: adds -o/--output.
CLI::Option* add_output_option(CLI::App* verb, std::string& output);
// Prints "sennit: MESSAGE" to stderr (red on a terminal) and gives `code`.
int report(const std::string& message, int code = 1);
// stdout is a terminal and NO_COLOR is not set.
bool colours();

inline constexpr char kDefaultGrpcAddress[] = "127.0.0.1:15010";
inline constexpr char kDefaultSecureAddress[] = "127.0.0.1:15012";
inline constexpr char kDefaultHttpAddress[] = "127.0.0.1:15014";

}  // namespace sennit::cli

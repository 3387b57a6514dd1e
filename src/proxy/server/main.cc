// sennit-proxy: the data plane's program.
#include <malloc.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "proxy/server/server.h"

namespace {

using sennit::proxy::Options;

void block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);  // they come by signalfd; threads inherit this
  std::signal(SIGPIPE, SIG_IGN);
}

bool open_log(const Options& options) {
  try {
    auto logger = options.log_path.empty() ? spdlog::stderr_logger_mt("sennit")
                                           : spdlog::basic_logger_mt("sennit", options.log_path);
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& error) {
    std::fprintf(stderr, "sennit-proxy: --log-path: %s\n", error.what());
    return false;
  }
  spdlog::flush_on(spdlog::level::info);
  return sennit::proxy::set_log_level(options.log_level);
}

}  // namespace

int main(int argc, char** argv) {
  // Threads share two heaps: one per thread costs more memory than contention costs time here.
  mallopt(M_ARENA_MAX, 2);
  const auto parsed = sennit::proxy::parse_options(argc, argv);
  if (!parsed.options) return parsed.exit_status;
  if (!open_log(*parsed.options)) return 1;
  block_signals();
  auto server = sennit::proxy::Server::create(*parsed.options);
  if (!server) {
    std::fprintf(stderr, "sennit-proxy: %s\n", server.error().message.c_str());
    return 1;
  }
  if (parsed.options->validate_only) {
    std::printf("configuration '%s' OK\n", parsed.options->bootstrap.path.c_str());
    return 0;
  }
  (*server)->run();
  return 0;
}

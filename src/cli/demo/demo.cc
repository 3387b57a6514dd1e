// sennit demo: a mesh from a directory, traffic through its gateway, and a live table of it.
#include <iostream>
#include <memory>
#include <thread>

#include "cli/demo/load.h"
#include "cli/http_client.h"
#include "cli/signals.h"
#include "cli/traffic/table.h"
#include "cli/up/flags.h"
#include "cli/up/mesh_group.h"
#include "cli/verb.h"

namespace sennit::cli {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kRefresh = 500ms;
constexpr auto kFirstAnswer = 30s;
// Rates are over this much of the past: quick enough to see a canary move, long enough to be calm.
constexpr size_t kWindow = 2;

struct Flags : UpFlags {
  std::string path = "/productpage";
  int duration = 0, per_second = 40;
};

struct Verdict {
  bool plaintext_seen = false;
  size_t most_edges = 0;
};

// Until the whole path answers: services may need a moment after their sidecars are ready.
Status wait_for_answer(const std::string& address, const std::string& path, MeshGroup& group) {
  const auto deadline = steady_clock::now() + kFirstAnswer;
  while (true) {
    auto answer = http_get(address, path, 2s);
    if (answer && answer->status == 200) return {};
    if (auto gone = group.ended()) return fail("{} ended with status {}", gone->name, gone->status);
    if (steady_clock::now() > deadline)
      return fail(
          "http://{}{} does not answer: {}", address, path,
          answer ? fmt::format("{} {}", answer->status, answer->body) : answer.error().message);
    std::this_thread::sleep_for(100ms);
  }
}

void show(const std::vector<EdgeRate>& rates, const Load::Result& load, const MeshGroup& group,
          const std::string& gateway, const std::string& path, bool live) {
  if (live) std::cout << "\x1b[H\x1b[2J";
  std::cout << "Gateway        http://" << gateway << path << "\n"
            << "Control plane  http://" << group.options().http_address << "/debug/syncz\n"
            << "Requests       " << load.requests << " sent, " << load.failures << " failed\n\n"
            << format_table(rates, colours()) << "\n"
            << "Move all of reviews to v3:  build/release/sennit apply -f "
            << (group.options().directory / "canary.yaml").string() << " --state "
            << group.options().state.string() << "\n"
            << (live ? "Ctrl-C ends everything.\n" : "") << std::flush;
}

int judge(const Load::Result& load, const Verdict& verdict) {
  if (load.requests == 0) return report("no request was sent");
  if (load.failures > 0) {
    std::string reasons;
    for (const auto& [reason, count] : load.reasons)
      reasons += fmt::format("\n  {} x {}", count, reason);
    return report(
        fmt::format("{} of {} requests failed:{}", load.failures, load.requests, reasons));
  }
  if (verdict.most_edges < 4)
    return report(fmt::format("only {} edges of traffic were seen", verdict.most_edges));
  if (verdict.plaintext_seen) return report("some traffic inside the mesh was not encrypted");
  std::cout << "sennit: " << load.requests
            << " requests, none failed, all encrypted inside the mesh\n";
  return 0;
}

int watch(const Flags& flags, MeshGroup& group, const std::string& gateway, Signals& signals) {
  const bool live = colours();
  const auto end = steady_clock::now() + std::chrono::seconds(flags.duration);
  Verdict verdict;
  Load load(gateway, flags.path, flags.per_second);
  std::vector<TrafficReading> readings;
  int rounds = 0;
  while (flags.duration == 0 || steady_clock::now() < end) {
    if (signals.wait(kRefresh)) break;
    if (auto gone = group.ended())
      return report(fmt::format("{} ended with status {}", gone->name, gone->status));
    auto proxies = read_proxies(group.options().http_address);
    if (!proxies) return report(proxies.error().message);
    readings.push_back(read_traffic(*proxies));
    if (readings.size() > kWindow) readings.erase(readings.begin());
    auto rates = rates_between(readings.front(), readings.back());
    verdict.most_edges = std::max(verdict.most_edges, rates.size());
    for (const EdgeRate& rate : rates)
      // What comes in from outside reaches the gateway, which is no edge between workloads.
      verdict.plaintext_seen |=
          rate.security == EdgeRate::Security::Plaintext && rate.name.source != "unknown";
    if (live || ++rounds % 10 == 0) show(rates, load.result(), group, gateway, flags.path, live);
  }
  return judge(load.result(), verdict);
}

int demo(const Flags& flags) {
  Signals signals;
  auto options = flags.options();
  if (!options) return report(options.error().message, 2);
  options->quiet = true;
  std::cout << "sennit: starting the mesh in " << flags.directory << " ..." << std::endl;
  auto group = MeshGroup::start(std::move(*options));
  if (!group)
    return report(group.error().message +
                  "\n(the output of each process is in the state directory's logs/)");
  if ((*group)->gateways().empty() || (*group)->gateways().front().ports.empty())
    return report("the mesh has no Gateway to send traffic to");
  const std::string gateway =
      "localhost:" + std::to_string((*group)->gateways().front().ports.front());
  if (Status ok = wait_for_answer(gateway, flags.path, **group); !ok)
    return report(ok.error().message);
  const int status = watch(flags, **group, gateway, signals);
  std::cout << "sennit: stopping ..." << std::endl;
  (*group)->stop();
  return status;
}

}  // namespace

void add_demo(Context context) {
  auto flags = std::make_shared<Flags>();
  flags->directory = "examples/bookinfo";
  CLI::App* verb =
      context.app.add_subcommand("demo", "Start an example mesh, send it traffic, show it");
  verb->footer(
      "Exit code 0 if no request failed and everything inside the mesh was encrypted.\n\n"
      "Examples:\n  sennit demo\n  sennit demo --duration 30");
  flags->add_to(verb);
  verb->add_option("--duration", flags->duration, "Seconds (0: until Ctrl-C)")
      ->capture_default_str();
  verb->add_option("--path", flags->path, "What to ask the gateway for")->capture_default_str();
  verb->add_option("--rate", flags->per_second, "Requests a second")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  verb->callback([flags, context] { context.exit_code = demo(*flags); });
}

}  // namespace sennit::cli

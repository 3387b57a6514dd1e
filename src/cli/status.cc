// sennit status: the proxies and whether they have what they should; with --traffic, who calls
// whom.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/http_client.h"
#include "cli/signals.h"
#include "cli/traffic/table.h"
#include "cli/verb.h"

namespace sennit::cli {
namespace {

struct Flags {
  std::string http_address = kDefaultHttpAddress, output = "table";
  bool traffic = false, watch = false;
  int seconds = 2;
};

nlohmann::json to_json(const std::vector<ProxyStatus>& proxies) {
  nlohmann::json list = nlohmann::json::array();
  for (const ProxyStatus& proxy : proxies) {
    list.push_back({{"name", proxy.name},
                    {"namespace", proxy.namespace_},
                    {"kind", proxy.kind},
                    {"proxy", proxy.proxy},
                    {"admin", proxy.admin},
                    {"sync", proxy.sync}});
    if (!proxy.error.empty()) list.back()["error"] = proxy.error;
  }
  return list;
}

nlohmann::json to_json(const std::vector<EdgeRate>& rates) {
  nlohmann::json list = nlohmann::json::array();
  for (const EdgeRate& rate : rates)
    list.push_back({{"source", rate.name.source},
                    {"destination", rate.name.destination},
                    {"requestsPerSecond", rate.per_second},
                    {"success", rate.success},
                    {"p50Ms", rate.p50},
                    {"p99Ms", rate.p99},
                    {"mtls", rate.security == EdgeRate::Security::MutualTls}});
  return list;
}

// A list of flat objects as YAML. JSON's strings are YAML's.
void print_list(const nlohmann::json& list, const std::string& output) {
  if (output == "json") {
    std::cout << list.dump(1) << "\n";
    return;
  }
  for (const auto& item : list) {
    const char* lead = "- ";
    for (const auto& [key, value] : item.items()) {
      std::cout << lead << key << ": " << value.dump() << "\n";
      lead = "  ";
    }
  }
  if (list.empty()) std::cout << "[]\n";
}

void print_proxies(const std::vector<ProxyStatus>& proxies) {
  size_t width = 4;
  for (const ProxyStatus& proxy : proxies)
    width = std::max(width, proxy.name.size() + 1 + proxy.namespace_.size());
  std::cout << fmt::format("{:<{}}  {:<8}  {:<13}  {:<18}  {}\n", "NAME", width, "KIND", "PROXY",
                           "ADMIN", "SYNC");
  for (const ProxyStatus& proxy : proxies) {
    std::cout << fmt::format("{:<{}}  {:<8}  {:<13}  {:<18}  {}\n",
                             proxy.name + "." + proxy.namespace_, width, proxy.kind, proxy.proxy,
                             proxy.admin, proxy.sync);
    if (!proxy.error.empty()) std::cout << "  " << proxy.error << "\n";
  }
  if (proxies.empty()) std::cout << "no proxy is connected\n";
}

int show_traffic(const Flags& flags, Signals& signals) {
  auto proxies = read_proxies(flags.http_address);
  if (!proxies) return report(proxies.error().message);
  TrafficReading before = read_traffic(*proxies);
  do {
    if (signals.wait(std::chrono::seconds(flags.seconds))) return 0;
    if (auto fresh = read_proxies(flags.http_address)) proxies = std::move(fresh);
    TrafficReading after = read_traffic(*proxies);
    auto rates = rates_between(before, after);
    if (flags.output != "table") {
      print_list(to_json(rates), flags.output);
    } else {
      if (flags.watch && colours()) std::cout << "\x1b[H\x1b[2J";
      std::cout << format_table(rates, colours()) << std::flush;
    }
    before = std::move(after);
  } while (flags.watch);
  return 0;
}

int status(const Flags& flags) {
  Signals signals;
  if (flags.traffic) return show_traffic(flags, signals);
  auto proxies = read_proxies(flags.http_address);
  if (!proxies) return report(proxies.error().message);
  if (flags.output == "table") {
    print_proxies(*proxies);
  } else {
    print_list(to_json(*proxies), flags.output);
  }
  for (const ProxyStatus& proxy : *proxies)
    if (!proxy.error.empty()) return 1;
  return 0;
}

}  // namespace

void add_status(Context context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = context.app.add_subcommand("status", "Show the proxies, or the traffic");
  verb->footer(
      "Exit code 1 where a proxy rejected its configuration.\n\n"
      "Examples:\n"
      "  sennit status\n"
      "  sennit status --traffic --watch\n"
      "  sennit status --traffic -o json");
  verb->add_option("--http-control", flags->http_address, "The control plane's HTTP address")
      ->capture_default_str();
  verb->add_flag("-t,--traffic", flags->traffic, "Who calls whom, how often, how fast, how well");
  verb->add_flag("-w,--watch", flags->watch, "With --traffic: again and again until Ctrl-C");
  verb->add_option("--seconds", flags->seconds, "With --traffic: time between readings")
      ->capture_default_str();
  add_output_option(verb, flags->output);
  verb->callback([flags, context] { context.exit_code = status(*flags); });
}

}  // namespace sennit::cli

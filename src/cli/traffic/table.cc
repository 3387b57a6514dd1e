#include "cli/traffic/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/http_client.h"

namespace sennit::cli {
namespace {

std::string_view security_text(EdgeRate::Security security) {
  switch (security) {
    case EdgeRate::Security::MutualTls:
      return "yes";
    case EdgeRate::Security::Plaintext:
      return "no";
    case EdgeRate::Security::Mixed:
      return "partly";
    default:
      return "?";
  }
}

std::string sync_of(const nlohmann::json& types, std::string& error) {
  std::string sync = "SYNCED";
  for (const auto& [type, about] : types.items()) {
    const std::string status = about.value("status", "");
    if (status == "SYNCED") continue;
    sync = type + " " + status;
    if (status == "NACK") {
      error = about.value("error", "");
      return sync;
    }
  }
  return types.empty() ? "NOTHING SENT" : sync;
}

std::string painted(std::string text, bool bad, bool colours) {
  return bad && colours ? "\x1b[31m" + text + "\x1b[0m" : text;
}

}  // namespace

Result<std::vector<ProxyStatus>> read_proxies(const std::string& http_address) {
  auto answer = http_get(http_address, "/debug/syncz");
  if (!answer) return std::unexpected(answer.error());
  nlohmann::json json = nlohmann::json::parse(answer->body, nullptr, false);
  if (!json.is_object())
    return fail("http://{}/debug/syncz did not answer with JSON", http_address);
  std::vector<ProxyStatus> proxies;
  for (const auto& item : json.value("proxies", nlohmann::json::array())) {
    ProxyStatus proxy{item.value("id", ""),
                      item.value("name", ""),
                      item.value("namespace", ""),
                      item.value("kind", ""),
                      item.value("proxy", ""),
                      item.value("admin", ""),
                      "",
                      ""};
    proxy.sync = sync_of(item.value("types", nlohmann::json::object()), proxy.error);
    proxies.push_back(std::move(proxy));
  }
  return proxies;
}

TrafficReading read_traffic(const std::vector<ProxyStatus>& proxies) {
  TrafficReading reading;
  for (const ProxyStatus& proxy : proxies) {
    if (proxy.admin.empty()) continue;
    auto answer = http_get(proxy.admin, "/stats/prometheus?filter=istio_request",
                           std::chrono::milliseconds(1000));
    if (answer && answer->status == 200) reading.add(parse_metrics(answer->body, "istio_request"));
  }
  reading.taken = std::chrono::steady_clock::now();
  return reading;
}

std::string format_table(const std::vector<EdgeRate>& rates, bool colours) {
  size_t source_width = 6, destination_width = 11;
  for (const EdgeRate& rate : rates) {
    source_width = std::max(source_width, rate.name.source.size());
    destination_width = std::max(destination_width, rate.name.destination.size());
  }
  std::string text =
      fmt::format("{:<{}}    {:<{}}  {:>8}  {:>8}  {:>8}  {:>8}  {}\n", "SOURCE", source_width,
                  "DESTINATION", destination_width, "REQ/S", "SUCCESS", "P50 MS", "P99 MS", "MTLS");
  for (const EdgeRate& rate : rates) {
    std::string success = fmt::format("{:>7.2f}%", rate.success * 100);
    const bool plain = rate.security == EdgeRate::Security::Plaintext ||
                       rate.security == EdgeRate::Security::Mixed;
    text +=
        fmt::format("{:<{}} -> {:<{}}  {:>8.1f}  {}  {:>8.1f}  {:>8.1f}  {}\n", rate.name.source,
                    source_width, rate.name.destination, destination_width, rate.per_second,
                    painted(success, rate.success < 1, colours), rate.p50, rate.p99,
                    painted(std::string(security_text(rate.security)), plain, colours));
  }
  return text;
}

}  // namespace sennit::cli

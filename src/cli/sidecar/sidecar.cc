#include "cli/sidecar/sidecar.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/log.h"
#include "cli/http_client.h"

namespace sennit::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPollInterval{20};
constexpr milliseconds kLongestRestartPause{10'000};
// A proxy that lived this long is not in a crash loop: the next restart is quick again.
constexpr std::chrono::seconds kSettled{30};
// Where each sidecar's forward-proxy port is on its own loopback address.
constexpr uint16_t kHttpProxyPort = 15080;

Result<std::string> read_file(const fs::path& path, std::string_view what) {
  std::ifstream file(path);
  if (!file) return fail("cannot read {} {}: {}", what, path.string(), std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  std::string content = text.str();
  while (!content.empty() && content.back() == '\n' && what == "the join token") content.pop_back();
  return content;
}

Result<fs::path> private_directory() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string name =
      (runtime && ::access(runtime, W_OK) == 0 ? std::string(runtime)
                                               : fs::temp_directory_path().string()) +
      "/sennit-XXXXXX";
  if (!::mkdtemp(name.data())) return fail("cannot make {}: {}", name, std::strerror(errno));
  return fs::path(name);
}

}  // namespace

Result<std::unique_ptr<Sidecar>> Sidecar::start(SidecarOptions options) {
  const auto deadline = steady_clock::now() + options.start_timeout;
  std::unique_ptr<Sidecar> sidecar(new Sidecar(std::move(options)));
  if (Status ok = sidecar->choose_addresses(); !ok) return std::unexpected(ok.error());
  if (Status ok = sidecar->start_identity(); !ok) return std::unexpected(ok.error());
  if (Status ok = sidecar->start_proxy(); !ok) return std::unexpected(ok.error());
  if (Status ok = sidecar->wait_ready(deadline); !ok) return std::unexpected(ok.error());
  sidecar->write_run_file();
  return sidecar;
}

Status Sidecar::choose_addresses() {
  const Workload& workload = options_.workload;
  auto network = LoopbackNetwork::take(workload.namespace_ + "/" + workload.name);
  if (!network) return std::unexpected(network.error());
  network_ = std::move(*network);
  address_ = options_.address.empty() ? network_->workload_address() : options_.address;
  admin_host_ = network_->workload_address();
  http_proxy_port_ = kHttpProxyPort;
  for (const auto& [name, port] : workload.ports) {
    // Not the application's own number: an application that listens on all addresses would be in
    // the way.
    auto free = free_port(address_);
    if (!free) return std::unexpected(free.error());
    inbound_ports_[name] = *free;
  }
  auto directory = private_directory();
  if (!directory) return std::unexpected(directory.error());
  directory_ = *directory;
  return {};
}

Status Sidecar::start_identity() {
  auto sds = identity::SdsServer::listen(directory_ / "sds.sock");
  if (!sds) return std::unexpected(sds.error());
  sds_ = std::move(*sds);
  auto root =
      read_file(options_.ca_root.empty() ? options_.state / "root-cert.pem" : options_.ca_root,
                "the mesh's root certificate");
  if (!root) return std::unexpected(root.error());
  auto token =
      read_file(options_.token_file.empty() ? options_.state / "join-token" : options_.token_file,
                "the join token");
  if (!token) return std::unexpected(token.error());
  ca_ = std::make_unique<identity::CaClient>(identity::CaClient::Options{
      .address = options_.ca_address.empty() ? options_.control_address : options_.ca_address,
      .server_name = options_.control_name,
      .root_pem = *root,
      .token = *token});
  const Workload& workload = options_.workload;
  agent_ = std::make_unique<identity::Agent>(
      identity::AgentOptions{
          .identity = {workload.trust_domain, workload.namespace_, workload.service_account},
          .lifetime = options_.certificate_lifetime},
      *ca_, [this](const identity::Credentials& credentials) { sds_->update(credentials); });
  return agent_->start(steady_clock::now() + options_.start_timeout);
}

Status Sidecar::start_proxy() {
  const fs::path bootstrap = directory_ / "bootstrap.json";
  std::ofstream(bootstrap) << make_bootstrap({.workload = options_.workload,
                                              .address = address_,
                                              .loopback_prefix = network_->prefix(),
                                              .inbound_ports = inbound_ports_,
                                              .http_proxy_port = http_proxy_port_,
                                              .admin_address = admin_host_,
                                              .admin_port = admin_port_,
                                              .control_address = options_.control_address,
                                              .control_name = options_.control_name,
                                              .control_plaintext = options_.control_plaintext,
                                              .sds_socket = directory_ / "sds.sock"});
  const int concurrency =
      options_.concurrency > 0 ? options_.concurrency : 2;  // as Istio's sidecars
  process::Command command{.arguments = {options_.proxy, "-c", bootstrap.string(), "--log-level",
                                         options_.log_level, "--concurrency",
                                         std::to_string(concurrency)}};
  if (options_.proxy_is_envoy) command.arguments.push_back("--disable-hot-restart");
  auto child = process::Child::start(command);
  if (!child) return std::unexpected(child.error());
  proxy_ = std::move(*child);
  proxy_started_ = steady_clock::now();
  return {};
}

Status Sidecar::wait_ready(steady_clock::time_point deadline) {
  while (true) {
    if (auto status = proxy_->poll())
      return fail("the proxy of {} ended with status {} before it was ready",
                  options_.workload.name, *status);
    auto answer = http_get(admin(), "/ready", milliseconds(500));
    if (answer && answer->status == 200) return {};
    if (steady_clock::now() > deadline)
      return fail("the proxy of {} is not ready after {} s (its admin is http://{}): {}",
                  options_.workload.name, options_.start_timeout.count(), admin(),
                  answer ? answer->body : answer.error().message);
    std::this_thread::sleep_for(kPollInterval);
  }
}

std::string Sidecar::admin() const {
  return admin_host_ + ":" + std::to_string(admin_port_);
}

void Sidecar::write_run_file() const {
  const fs::path directory = options_.state / "run";
  std::error_code ignored;
  fs::create_directories(directory, ignored);
  const Workload& workload = options_.workload;
  nlohmann::json about = {
      {"name", workload.name},
      {"namespace", workload.namespace_},
      {"admin", admin()},
      {"address", address_},
      {"pid", proxy_->pid()},
      {"kind", workload.kind == Workload::Kind::Gateway ? "gateway" : "sidecar"}};
  std::ofstream(directory / (workload.namespace_ + "." + workload.name + ".json"))
      << about.dump() << "\n";
}

std::string service_variable_prefix(const std::string& host, const std::string& caller_namespace) {
  std::string name = host;
  const std::string own = "." + caller_namespace + ".svc.";
  const size_t service = host.find(".svc.");
  if (const size_t at = host.find(own); at != std::string::npos) {
    name = host.substr(0, at);
  } else if (service != std::string::npos) {
    name = host.substr(0, service);
  }
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return std::isalnum(c) ? static_cast<char>(std::toupper(c)) : '_';
  });
  return name;
}

std::map<std::string, std::string> Sidecar::application_environment() const {
  std::map<std::string, std::string> environment;
  const Workload& workload = options_.workload;
  if (!workload.ports.empty()) {
    auto http = workload.ports.find("http");
    const uint16_t port =
        http != workload.ports.end() ? http->second : workload.ports.begin()->second;
    environment["PORT"] = std::to_string(port);
  }
  const std::string proxy =
      "http://" + network_->workload_address() + ":" + std::to_string(http_proxy_port_);
  environment["http_proxy"] = proxy;
  environment["no_proxy"] = "localhost,127.0.0.1," + network_->prefix() + ".0/24";
  // Listeners of services are called HOST:PORT; where they are bound is what the application needs.
  auto answer = http_get(admin(), "/listeners?format=json");
  nlohmann::json listeners =
      answer ? nlohmann::json::parse(answer->body, nullptr, false) : nlohmann::json(nullptr);
  if (!listeners.is_object()) return environment;
  for (const auto& listener : listeners.value("listener_statuses", nlohmann::json::array())) {
    const std::string name = listener.value("name", "");
    const size_t colon = name.rfind(':');
    const auto address = listener.value("/local_address/socket_address/address"_json_pointer, "");
    if (colon == std::string::npos || !address.starts_with(network_->prefix() + ".")) continue;
    const std::string prefix = service_variable_prefix(name.substr(0, colon), workload.namespace_);
    const std::string port = name.substr(colon + 1);
    environment.try_emplace(prefix + "_SERVICE_HOST", address);
    environment.try_emplace(prefix + "_SERVICE_PORT", port);
    environment[prefix + "_SERVICE_PORT_" + port] = port;
  }
  return environment;
}

void Sidecar::keep_alive() {
  auto status = proxy_->poll();
  const auto lived = steady_clock::now() - proxy_started_;
  if (!status || lived < restart_pause_) return;
  restart_pause_ =
      lived > kSettled ? milliseconds(100) : std::min(restart_pause_ * 2, kLongestRestartPause);
  log::err("run", "the proxy of {} ended with status {}: starting it again", options_.workload.name,
           *status);
  if (Status ok = start_proxy(); !ok) log::err("run", "{}", ok.error().message);
}

void Sidecar::stop(milliseconds grace) {
  if (!proxy_) return;
  http_post(admin(), "/drain_listeners?graceful", "", {}, milliseconds(300));
  proxy_->terminate(grace);
  proxy_.reset();
}

Sidecar::~Sidecar() {
  stop(milliseconds(5000));
  if (agent_) agent_->stop();
  sds_.reset();
  std::error_code ignored;
  const Workload& workload = options_.workload;
  fs::remove(options_.state / "run" / (workload.namespace_ + "." + workload.name + ".json"),
             ignored);
  if (!directory_.empty()) fs::remove_all(directory_, ignored);
}

}  // namespace sennit::cli

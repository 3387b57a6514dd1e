#include "cli/up/mesh_group.h"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/http_client.h"
#include "cli/verb.h"

namespace sennit::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kStartTimeout = 60s;
constexpr auto kPollInterval = 50ms;
// A member drains for up to 5 s (run.cc) and then stops.
constexpr auto kStopGrace = 10s;
constexpr int kColours[] = {36, 33, 32, 35, 34, 96, 93, 92, 95, 94};

std::string labels_text(const nlohmann::json& selector) {
  std::string text;
  for (const auto& [key, value] : selector.items())
    text += (text.empty() ? "" : ",") + key + "=" + value.get<std::string>();
  return text;
}

}  // namespace

MeshGroup::MeshGroup(UpOptions options) : options_(std::move(options)) {
  const fs::path& directory = options_.directory;
  if (options_.config.empty())
    options_.config.push_back(fs::is_directory(directory / "mesh") ? directory / "mesh"
                                                                   : directory);
  if (options_.state.empty()) options_.state = directory / ".sennit";
  options_.state = fs::absolute(options_.state);
}

Result<std::unique_ptr<MeshGroup>> MeshGroup::start(UpOptions options) {
  std::unique_ptr<MeshGroup> group(new MeshGroup(std::move(options)));
  const UpOptions& chosen = group->options_;
  auto entries = read_procfile(chosen.directory / "Procfile");
  if (!entries) return std::unexpected(entries.error());
  group->entries_ = std::move(*entries);
  for (const ProcfileEntry& entry : group->entries_)
    group->name_width_ = std::max(group->name_width_, entry.name.size());
  if (Status ok = group->start_control(); !ok) return std::unexpected(ok.error());
  if (Status ok = group->find_gateways(); !ok) return std::unexpected(ok.error());

  const std::vector<std::string> common = {"--control",
                                           chosen.secure_address,
                                           "--http-control",
                                           chosen.http_address,
                                           "--state",
                                           chosen.state.string(),
                                           "--certificate-lifetime",
                                           std::to_string(chosen.certificate_lifetime)};
  auto with_common = [&](std::vector<std::string> arguments, const std::string& name) {
    arguments.insert(arguments.end(), common.begin(), common.end());
    auto special = chosen.proxy_of.find(name);
    arguments.insert(
        arguments.end(),
        {"--proxy", special == chosen.proxy_of.end() ? chosen.proxy : special->second});
    return arguments;
  };
  for (const ProcfileEntry& entry : group->entries_) {
    auto arguments = with_common({"run", "--workload-group", entry.name}, entry.name);
    arguments.insert(arguments.end(), {"--", "/bin/sh", "-c", entry.command});
    if (Status ok = group->start_member(entry.name, arguments, chosen.directory); !ok)
      return std::unexpected(ok.error());
  }
  for (const GatewayProcess& gateway : group->gateways_) {
    auto arguments = with_common(
        {"gateway", gateway.name, "--labels", gateway.labels, "--namespace", gateway.namespace_},
        gateway.name);
    if (Status ok = group->start_member(gateway.name, arguments, ""); !ok)
      return std::unexpected(ok.error());
  }
  if (Status ok = group->wait_registered(); !ok) return std::unexpected(ok.error());
  return group;
}

Status MeshGroup::start_control() {
  std::vector<std::string> arguments = {"control",
                                        "--state",
                                        options_.state.string(),
                                        "--grpc-addr",
                                        options_.grpc_address,
                                        "--secure-grpc-addr",
                                        options_.secure_address,
                                        "--http-addr",
                                        options_.http_address};
  for (const fs::path& config : options_.config)
    arguments.insert(arguments.end(), {"--config", config.string()});
  if (!options_.mesh_config.empty())
    arguments.insert(arguments.end(), {"--mesh-config", options_.mesh_config.string()});
  if (Status ok = start_member("control", arguments, ""); !ok) return ok;
  const auto deadline = steady_clock::now() + kStartTimeout;
  while (true) {
    auto answer = http_get(options_.http_address, "/ready", 500ms);
    if (answer && answer->status == 200) return {};
    if (auto status = members_.front().child.poll())
      return fail("the control plane ended with status {}: see its output above", *status);
    if (steady_clock::now() > deadline) return fail("the control plane is not ready after 60 s");
    std::this_thread::sleep_for(kPollInterval);
  }
}

// One gateway proxy for each distinct selector among the Gateways.
Status MeshGroup::find_gateways() {
  auto answer = http_get(options_.http_address, "/debug/configz");
  if (!answer) return std::unexpected(answer.error());
  nlohmann::json config = nlohmann::json::parse(answer->body, nullptr, false);
  std::map<std::string, GatewayProcess> by_labels;
  for (const auto& resource : config.value("resources", nlohmann::json::array())) {
    if (resource.value("kind", "") != "Gateway") continue;
    const std::string labels =
        labels_text(resource["spec"].value("selector", nlohmann::json::object()));
    if (labels.empty()) continue;
    GatewayProcess& gateway = by_labels[labels];
    gateway.labels = labels;
    gateway.namespace_ = resource["metadata"].value("namespace", "default");
    gateway.name = labels.substr(labels.find('=') + 1, labels.find(',') - labels.find('=') - 1);
    for (const auto& server : resource["spec"].value("servers", nlohmann::json::array()))
      gateway.ports.push_back(server.value("/port/number"_json_pointer, uint16_t{0}));
  }
  for (auto& [labels, gateway] : by_labels) {
    name_width_ = std::max(name_width_, gateway.name.size());
    gateways_.push_back(std::move(gateway));
  }
  return {};
}

Status MeshGroup::start_member(const std::string& name, std::vector<std::string> arguments,
                               const fs::path& directory) {
  arguments.insert(arguments.begin(), process::self_path());
  const size_t colour = members_.size();
  process::Command command{
      .arguments = std::move(arguments),
      .environment = {},
      .directory = directory.string(),
      .on_line = [this, name, colour](std::string_view line) { print(name, colour, line); },
      .own_group = true};  // Ctrl-C is ours: we end them in order
  auto child = process::Child::start(command);
  if (!child) return std::unexpected(child.error().within(name));
  members_.push_back({name, std::move(*child)});
  return {};
}

Status MeshGroup::wait_registered() {
  const auto deadline = steady_clock::now() + kStartTimeout;
  const size_t wanted = entries_.size() + gateways_.size();
  while (true) {
    auto answer = http_get(options_.http_address, "/debug/syncz", 500ms);
    nlohmann::json status =
        answer ? nlohmann::json::parse(answer->body, nullptr, false) : nlohmann::json();
    if (status.is_object() && status["proxies"].size() >= wanted) return {};
    if (auto gone = ended())
      return fail("{} ended with status {} while starting", gone->name, gone->status);
    if (steady_clock::now() > deadline)
      return fail("after 60 s only {} of {} proxies are connected",
                  status.is_object() ? status["proxies"].size() : 0, wanted);
    std::this_thread::sleep_for(kPollInterval);
  }
}

void MeshGroup::print(const std::string& name, size_t colour, std::string_view line) {
  std::lock_guard lock(output_mutex_);
  if (options_.quiet) {
    std::error_code ignored;
    fs::create_directories(options_.state / "logs", ignored);
    std::ofstream(options_.state / "logs" / (name + ".log"), std::ios::app) << line << "\n";
    return;
  }
  const std::string padded =
      name + std::string(name_width_ - std::min(name_width_, name.size()), ' ');
  if (colours()) {
    std::cout << "\x1b[" << kColours[colour % std::size(kColours)] << "m" << padded << " |\x1b[0m "
              << line << std::endl;
  } else {
    std::cout << padded << " | " << line << std::endl;
  }
}

std::optional<MeshGroup::Ended> MeshGroup::ended() {
  for (Member& member : members_) {
    auto status = member.child.poll();
    if (status && !member.reported) {
      member.reported = true;
      return Ended{member.name, *status};
    }
  }
  return std::nullopt;
}

void MeshGroup::stop() {
  // All but the control plane at once: each drains on its own; the control plane outlives them.
  for (size_t i = members_.size(); i-- > 1;) members_[i].child.signal(SIGTERM);
  for (size_t i = members_.size(); i-- > 1;) members_[i].child.terminate(kStopGrace);
  if (!members_.empty()) members_.front().child.terminate(kStopGrace);
}

MeshGroup::~MeshGroup() {
  stop();
}

}  // namespace sennit::cli

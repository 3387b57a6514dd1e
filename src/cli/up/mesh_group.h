// `sennit up`'s processes: a control plane, one gateway per Gateway selector, and each Procfile
// entry under `sennit run`. Starts them in order, shows their output line by line with a name in
// front, and ends them in the opposite order. One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/up/procfile.h"
#include "process/child.h"

namespace sennit::cli {

struct UpOptions {
  std::filesystem::path directory;
  std::vector<std::filesystem::path> config;  // empty: DIR/mesh if there is one, else DIR
  std::filesystem::path mesh_config;
  std::filesystem::path state;  // empty: DIR/.sennit
  std::string grpc_address, secure_address, http_address;
  std::string proxy = "sennit-proxy";
  // WorkloadGroups whose proxy is another one: "reviews-v1=envoy=/usr/bin/envoy".
  std::map<std::string, std::string> proxy_of;
  int certificate_lifetime = 0;
  bool quiet =
      false;  // keep the output of the processes out of the terminal (it goes to STATE/logs)
};

struct GatewayProcess {
  std::string name, namespace_, labels;
  std::vector<uint16_t> ports;
};

class MeshGroup {
 public:
  static Result<std::unique_ptr<MeshGroup>> start(UpOptions options);
  ~MeshGroup();

  // The name and status of a process that has ended, if one has.
  struct Ended {
    std::string name;
    int status;
  };
  std::optional<Ended> ended();
  // Gateways first, then applications with their sidecars, the control plane last.
  void stop();

  const std::vector<GatewayProcess>& gateways() const { return gateways_; }
  const UpOptions& options() const { return options_; }
  size_t workloads() const { return entries_.size(); }

 private:
  struct Member {
    std::string name;
    process::Child child;
    bool reported = false;
  };
  explicit MeshGroup(UpOptions options);
  Status start_control();
  Status find_gateways();
  Status start_member(const std::string& name, std::vector<std::string> arguments,
                      const std::filesystem::path& directory);
  Status wait_registered();
  void print(const std::string& name, size_t colour, std::string_view line);

  UpOptions options_;
  std::vector<ProcfileEntry> entries_;
  std::vector<GatewayProcess> gateways_;
  std::vector<Member> members_;  // in starting order
  std::mutex output_mutex_;
  size_t name_width_ = 7;
};

}  // namespace sennit::cli

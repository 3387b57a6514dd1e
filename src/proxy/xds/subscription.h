// One resource type on one discovery stream: what is asked for, what has come, and the requests and
// answers that follow from it, in the state-of-the-world and in the delta variant of the protocol
// (xDS REST and gRPC protocol, "ACK/NACK and resource type instance version"). No I/O: the stream
// sends what is made here.
#pragma once

#include <envoy/service/discovery/v3/discovery.pb.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "proxy/stats/stats.h"

namespace sennit::proxy {

struct ResourceUpdate {
  struct Resource {
    std::string name;  // empty in the state of the world: the message itself has it
    std::string version;
    const google::protobuf::Any* body;
  };
  std::vector<Resource> resources;
  std::vector<std::string> removed;  // delta
  bool full = false;                 // the state of the world: what is not here does not exist
  std::string version;
};

// Takes an update, resource by resource: those that are good take effect, an error tells of the
// others (it becomes the NACK's text) and leaves their last good version in use.
using ResourceConsumer = std::function<Status(const ResourceUpdate&)>;

struct SubscriptionStats {
  stats::CounterId update_attempt, update_success, update_failure, update_rejected;
};

class Subscription {
 public:
  using SotwRequest = envoy::service::discovery::v3::DiscoveryRequest;
  using SotwResponse = envoy::service::discovery::v3::DiscoveryResponse;
  using DeltaRequest = envoy::service::discovery::v3::DeltaDiscoveryRequest;
  using DeltaResponse = envoy::service::discovery::v3::DeltaDiscoveryResponse;

  // `wildcard`: every resource of the type is wanted, without naming any (CDS, LDS).
  Subscription(std::string type_url, bool wildcard, ResourceConsumer consumer);

  const std::string& type_url() const { return type_url_; }
  // The names wanted from now on. True where a request must tell.
  bool set_names(const std::vector<std::string>& names);
  // Whether there is anything to ask for.
  bool wanted() const { return wildcard_ || !names_.empty(); }
  bool asked() const { return asked_; }

  // A new stream: nonces and what was asked on the old one no longer count.
  void on_new_stream();

  // The request that tells what is wanted now (the first on a stream, or after set_names).
  SotwRequest sotw_request();
  DeltaRequest delta_request();
  // Applies the response and returns the ACK or NACK.
  SotwRequest handle(const SotwResponse& response);
  DeltaRequest handle(const DeltaResponse& response);

  // For config_dump and tests: the version in use; the last rejection, empty when there is none.
  const std::string& version() const { return version_; }
  const std::string& last_error() const { return last_error_; }

 private:
  bool record(const Status& outcome, google::rpc::Status* detail);

  const std::string type_url_;
  const bool wildcard_;
  const ResourceConsumer consumer_;
  std::set<std::string> names_;               // wanted
  std::set<std::string> asked_names_;         // told on this stream
  std::map<std::string, std::string> known_;  // delta: versions in use, by name
  std::string version_, nonce_, last_error_;
  bool asked_ = false;
};

}  // namespace sennit::proxy

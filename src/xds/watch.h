// One type's subscription on one xDS stream: what the proxy asked for, what it was sent and what
// it answered. Knows the two variants of the protocol (state of the world, delta) but neither
// sockets nor threads: its owner (Session) serialises the calls.
// Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
#pragma once

#include <envoy/service/discovery/v3/discovery.pb.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "xds/resource.h"

namespace sennit::xds {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;

class Watch {
 public:
  explicit Watch(std::string type_url) : type_url_(std::move(type_url)) {}

  // Takes a request in; true if it asks for something that is to be answered now (rather than
  // acknowledging, or being stale).
  bool on_request(const DiscoveryRequest& request);
  bool on_request(const DeltaDiscoveryRequest& request);

  struct Demand {
    // The request that led here waits for a response even if nothing differs.
    bool must_answer = false;
    // Leave removals for a later response (make before break; delta only).
    bool keep_removed = false;
    // Look only at resources of these services ("outbound|80||HOST"); nullptr: at all.
    const std::set<std::string>* services = nullptr;
  };
  // What to send now that the resources are as given; nothing where the proxy has them already.
  std::optional<DiscoveryResponse> make_response(const Resources& resources, const Demand& demand);
  std::optional<DeltaDiscoveryResponse> make_delta(const Resources& resources,
                                                   const Demand& demand);

  // Forgets that `names` were sent: they go out again although they did not change. Proxies need
  // the endpoints again after a cluster came anew.
  void resend(const std::set<std::string>& names);

  const std::string& type_url() const { return type_url_; }
  bool wildcard() const { return wildcard_; }
  bool wants(std::string_view name) const {
    return wildcard_ || names_.contains(std::string(name));
  }
  // Names whose content differed in the last response made.
  const std::set<std::string>& last_changed() const { return last_changed_; }
  // The last NACK's message, until the next ACK.
  const std::string& rejection() const { return rejection_; }
  bool acknowledged() const { return !nonce_.empty() && acked_nonce_ == nonce_; }
  size_t sent_count() const { return sent_.size(); }
  uint64_t rejections() const { return rejections_; }

 private:
  static constexpr uint64_t kAbsent = 0;  // sent_ value: told that there is no such resource

  std::vector<Resource> wanted(const Resources& resources,
                               const std::set<std::string>* services) const;
  void remove_absent(const std::set<std::string>& present, DeltaDiscoveryResponse& response);
  void note_answer(std::string_view nonce, const google::rpc::Status* error);
  std::string next_nonce();

  std::string type_url_;
  bool wildcard_ = false;
  bool started_ = false;
  std::set<std::string> names_;
  std::map<std::string, uint64_t> sent_;  // name → hash of what the proxy has
  std::set<std::string> last_changed_;
  std::string nonce_, acked_nonce_, rejection_;
  uint64_t counter_ = 0, rejections_ = 0;
};

}  // namespace sennit::xds

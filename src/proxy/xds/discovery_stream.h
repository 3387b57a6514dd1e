// A stream to one management server, carrying one or more resource types (ADS carries all). It
// reconnects for ever, with jittered exponential backoff; what was received last stays in use
// meanwhile. Main thread.
#pragma once

#include <envoy/config/core/v3/base.pb.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "net/event_loop.h"
#include "proxy/stats/stats.h"
#include "proxy/xds/subscription.h"
#include "proxy/xds/transport.h"

namespace sennit::proxy {

// Envoy's defaults for the backoff between attempts (envoy.config.core.v3.GrpcService).
inline constexpr net::Milliseconds kReconnectBase{500};
inline constexpr net::Milliseconds kReconnectMax{30'000};

struct DiscoveryStreamOptions {
  std::string cluster;  // of the management server
  bool delta = false;
  // ":path" of the call, e.g. "/envoy.service.discovery.v3.AggregatedDiscoveryService/
  // StreamAggregatedResources".
  std::string method;
  envoy::config::core::v3::Node node;
  bool set_node_on_first_message_only = false;
};

class DiscoveryStream final : private CallCallbacks {
 public:
  DiscoveryStream(net::EventLoop& loop, DiscoveryTransport& transport,
                  DiscoveryStreamOptions options, stats::Registry& registry, stats::Shard& shard);
  ~DiscoveryStream();

  // Before or after `start`. Requests go out in the order in which types were added. The reference
  // lives as long as the stream. `stats_prefix`: "cluster_manager.cds." and the like.
  Subscription& add(const std::string& type_url, bool wildcard, ResourceConsumer consumer,
                    const std::string& stats_prefix);
  void set_names(Subscription& subscription, const std::vector<std::string>& names);
  void start();
  bool connected() const { return connected_; }
  // If the stream waits before it tries again: tries at once. Not from inside a consumer.
  void retry_now();

 private:
  struct Entry {
    Subscription subscription;
    SubscriptionStats stats;
  };
  void open();
  void on_message(std::string_view message) override;
  void on_closed(const std::string& reason) override;
  template <typename Response>
  void handle(std::string_view message);
  void tell(Entry& entry);
  template <typename Request>
  void send(Request request);
  void schedule_reconnect();
  Entry* find(const std::string& type_url);

  net::EventLoop& loop_;
  DiscoveryTransport& transport_;
  const DiscoveryStreamOptions options_;
  stats::Registry& registry_;
  stats::Shard& shard_;
  stats::GaugeId connected_state_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::unique_ptr<Call> call_;
  net::Timer reconnect_;
  std::minstd_rand random_;
  uint32_t failures_ = 0;
  bool started_ = false;
  bool connected_ = false;  // an answer has come on this call
  bool broken_ = false;     // the call is over and waits to be replaced
  bool node_sent_ = false;
};

}  // namespace sennit::proxy

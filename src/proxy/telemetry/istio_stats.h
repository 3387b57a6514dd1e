// Istio's standard metrics (https://istio.io/latest/docs/reference/config/metrics/): requests and
// TCP connections, labelled with who called whom. One per filter in a configuration; shared by the
// workers.
//
// Resolving a label tuple to metric ids is slow (strings, the registry's lock) and happens once per
// tuple and worker: after that a request costs one lookup by a hash of pointers and codes, and a
// few additions. Tuples are bounded (kMaxTuples, since a Host header may come into them): beyond,
// requests count under labels that all say "overflow".
#pragma once

#include <istio/stats.pb.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/config/local_node.h"
#include "proxy/stats/stats.h"
#include "proxy/stream/stream_info.h"
#include "proxy/telemetry/peer_metadata.h"

namespace sennit::proxy {

enum class Reporter : uint8_t { Source, Destination };

// What happened on a TCP connection since the last report.
struct TcpProgress {
  bool opened = false, closed = false;
  uint64_t received_bytes = 0;  // from the client
  uint64_t sent_bytes = 0;      // to the client
};

class IstioStats {
 public:
  enum Metric : uint8_t {
    kRequests,
    kDuration,
    kRequestBytes,
    kResponseBytes,
    kTcpSent,
    kTcpReceived,
    kTcpOpened,
    kTcpClosed,
    kMetricCount,
  };

  // `reporter`: Destination for inbound listeners. Overrides may drop metrics, remove labels and
  // set labels to constants ("'text'"); other expressions are refused by the name of the field.
  static Result<std::shared_ptr<const IstioStats>> create(const ::stats::PluginConfig& config,
                                                          stats::Registry& registry,
                                                          const LocalNode& node, Reporter reporter);

  // At the end of a request. `request` serves the host header fallback; may be nullptr.
  void record_request(const StreamInfo& info, const http::HeaderMap* request,
                      stats::Shard& shard) const;
  // At any time of a TCP connection's life; the peers are those of `info`.
  void record_tcp(const StreamInfo& info, const TcpProgress& progress, stats::Shard& shard) const;
  // How often TCP connections report while they are open.
  std::chrono::milliseconds tcp_reporting_interval() const { return tcp_interval_; }

 private:
  struct Override {
    bool drop = false;
    std::vector<std::string> remove;
    stats::Labels constants;
  };
  // Where one tuple is counted.
  struct Ids {
    stats::CounterId requests, tcp_sent, tcp_received, tcp_opened, tcp_closed;
    stats::HistogramId duration, request_bytes, response_bytes;
  };
  struct Key;
  struct Cached;

  IstioStats(stats::Registry& registry, const LocalNode& node, Reporter reporter);
  Status apply_overrides(const ::stats::PluginConfig& config);
  Status apply_override(const ::stats::MetricConfig& config);
  Key make_key(const StreamInfo& info, const http::HeaderMap* request) const;
  const Ids& find(const StreamInfo& info, const http::HeaderMap* request) const;
  Ids resolve(const StreamInfo& info, const Key& key) const;
  stats::Labels make_labels(const StreamInfo& info, const Key& key) const;
  void add_service_labels(stats::Labels& labels, const StreamInfo& info, const Key& key,
                          const PeerMetadata& destination) const;
  stats::MetricKey metric_key(Metric metric, const stats::Labels& labels) const;

  stats::Registry& registry_;
  const PeerMetadata local_;
  const Reporter reporter_;
  const uint64_t instance_;  // tells instances apart in the workers' caches
  bool host_header_fallback_ = true;
  std::chrono::milliseconds tcp_interval_{15'000};  // Istio's default
  std::array<Override, kMetricCount> overrides_;
  mutable std::atomic<uint32_t> tuples_{0};
};

}  // namespace sennit::proxy

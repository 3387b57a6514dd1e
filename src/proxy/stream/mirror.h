// A copy of a request sent to another cluster, fire and forget: the answer is read and dropped, no
// outcome is seen by the request it was copied from. Keeps itself alive until it is done.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "http/codec.h"
#include "net/buffer.h"
#include "net/event_loop.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {

// Appends "-shadow" to the host's name, so that the mirrored cluster can tell (Envoy does so).
void mark_host_as_shadow(http::HeaderMap& request);

class Mirror final : public std::enable_shared_from_this<Mirror>,
                     private http::ResponseDecoder,
                     private http::StreamCallbacks,
                     private StreamRequestCallbacks {
 public:
  // nullptr where the cluster is unknown or has no host. `timeout` of zero: none.
  static std::shared_ptr<Mirror> start(WorkerClusters& clusters, std::string cluster,
                                       http::HeaderMap headers, bool end_stream,
                                       http::Protocol downstream, std::chrono::milliseconds timeout,
                                       uint64_t random);
  void data(std::string_view data, bool end_stream);
  void trailers(const http::HeaderMap& trailers);
  // The original ended early: so does the copy, unless all of it was sent.
  void abandon();

 private:
  Mirror(WorkerClusters& clusters, std::string cluster, http::HeaderMap headers);

  void on_pool_ready(http::RequestEncoder& encoder, http::Protocol protocol,
                     const net::Connection& connection, bool reused) override;
  void on_pool_failure(PoolFailure, std::string_view) override { finish(); }
  void on_1xx(http::HeaderMap&&) override {}
  void on_headers(http::HeaderMap&& headers, bool end_stream) override;
  void on_data(std::string_view, bool end_stream) override;
  void on_trailers(http::HeaderMap&&) override;
  void on_reset(http::ResetReason) override;
  void on_above_write_watermark() override { blocked_ = true; }
  void on_below_write_watermark() override;

  void send_held();
  void response_complete();
  void give_up();
  void finish();

  WorkerClusters& clusters_;
  std::string cluster_name_;
  http::HeaderMap headers_;
  std::optional<http::HeaderMap> trailers_;
  HostPtr host_;
  std::shared_ptr<Mirror> self_;  // until finish()
  std::unique_ptr<PendingStream> pending_;
  http::RequestEncoder* encoder_ = nullptr;
  std::optional<net::Timer> timer_;
  net::Buffer held_;
  net::TimePoint ready_at_{};
  int status_ = 0;
  bool blocked_ = false;
  bool request_ended_ = false;  // the original's request is here completely
  bool request_sent_ = false;
};

}  // namespace sennit::proxy

// One try at sending the request to one host: waits for a pooled connection, writes the request,
// hands the response to the router. Ends by a complete response, a failure, or `give_up`; after
// that it tells the router nothing. Deleted at the end of the event batch.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "http/codec.h"
#include "net/event_loop.h"
#include "proxy/stream/router.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {

class UpstreamAttempt final : public net::DeferredDeletable,
                              public http::ResponseDecoder,
                              public http::StreamCallbacks,
                              public StreamRequestCallbacks {
 public:
  UpstreamAttempt(Router& router, HostPtr host);
  ~UpstreamAttempt() override;
  static void* operator new(size_t size);
  static void operator delete(void* block);

  // May come back by on_attempt_failed or on_attempt_ready from inside. `priority`: the route's.
  void start(WorkerCluster& cluster, uint32_t priority);
  bool ready() const { return encoder_ != nullptr; }
  bool reused_connection() const { return reused_; }
  bool response_begun() const { return status_ != 0; }
  bool request_sent() const { return ready_at_ != net::TimePoint{}; }

  // Only when ready().
  void send_headers(const http::HeaderMap& headers, bool end_stream);
  void send_data(std::string_view data, bool end_stream);
  void send_trailers(const http::HeaderMap& trailers);
  void pause_response(bool pause);

  void arm_per_try_timeout(std::chrono::milliseconds timeout);
  void arm_per_try_idle_timeout(std::chrono::milliseconds timeout);
  void disarm_per_try_timeout() { per_try_timer_.reset(); }

  // Lets go of the upstream stream (reset where it is not complete) and tells the router no more.
  // `timed_out`: counts against the host as a timeout; otherwise an attempt without an answer
  // says nothing about the host.
  void give_up(bool timed_out);

 private:
  void on_pool_ready(http::RequestEncoder& encoder, http::Protocol protocol,
                     const net::Connection& connection, bool reused) override;
  void on_pool_failure(PoolFailure reason, std::string_view transport_failure_reason) override;

  void on_1xx(http::HeaderMap&& headers) override;
  void on_headers(http::HeaderMap&& headers, bool end_stream) override;
  void on_data(std::string_view data, bool end_stream) override;
  void on_trailers(http::HeaderMap&& trailers) override;

  void on_reset(http::ResetReason reason) override;
  void on_above_write_watermark() override;
  void on_below_write_watermark() override;

  void response_complete();
  void report(HostResult result);
  void note_received();

  Router* router_;  // nullptr: over
  HostPtr host_;
  std::shared_ptr<const ClusterInfo> info_;
  WorkerClusters& clusters_;
  net::EventLoop& loop_;
  std::unique_ptr<PendingStream> pending_;
  http::RequestEncoder* encoder_ = nullptr;
  std::optional<net::Timer> per_try_timer_, idle_timer_;
  std::chrono::milliseconds idle_timeout_{0};
  net::TimePoint ready_at_{};
  std::chrono::milliseconds response_time_{0};
  int status_ = 0;
  http::Protocol protocol_ = http::Protocol::Http11;
  bool reused_ = false;
  bool request_ended_ = false;
  bool response_ended_ = false;
  bool request_paused_ = false;
  bool reported_ = false;
};

}  // namespace sennit::proxy

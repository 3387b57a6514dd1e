// The end of the filter walk: finds the cluster, sends the request to a host of it, and hands the
// response to the stream. Owns timeouts, retries and mirrors. One per stream, inside it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/codec.h"
#include "net/buffer.h"
#include "net/event_loop.h"
#include "proxy/route/route_table.h"
#include "proxy/stream/retry_state.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {

class Stream;
class UpstreamAttempt;
class Mirror;

// Why an attempt ended without a response (Envoy's StreamResetReason, as seen upstream).
enum class AttemptFailure : uint8_t {
  ConnectFailure,
  ConnectTimeout,
  Overflow,
  ConnectionTermination,
  LocalReset,
  RemoteReset,
  RemoteRefused,
  ProtocolError,
};

class Router {
 public:
  explicit Router(Stream& stream);
  ~Router();

  // The head has passed all filters.
  void start(bool end_stream);
  void data(std::string_view data, bool end_stream);
  // The stream holds the trailers; they end the request.
  void trailers(const http::HeaderMap& trailers);
  // The stream is over, whatever the reason: gives up what is in flight.
  void cancel();
  // The client reads slowly / again.
  void pause_response(bool pause);

  // --- for the attempt ---
  Stream& stream() { return stream_; }
  const http::HeaderMap& request() const;
  const http::HeaderMap* request_trailers() const { return trailers_; }
  std::string_view body() const { return body_.view(); }
  bool request_ended() const { return request_ended_; }
  void on_attempt_ready();
  void on_attempt_1xx(http::HeaderMap&& headers);
  void on_attempt_headers(http::HeaderMap&& headers, bool end_stream);
  void on_attempt_data(std::string_view data, bool end_stream);
  void on_attempt_trailers(http::HeaderMap&& trailers);
  void on_attempt_failed(AttemptFailure failure, std::string_view transport_reason);
  void on_per_try_timeout(std::string_view details);

 private:
  bool answer_without_upstream();
  bool find_cluster();
  void choose_timeouts();
  void finalize_request();
  void start_mirrors(bool end_stream);
  void begin_attempt();
  void retire_attempt(bool timed_out = false);
  void request_complete();
  void send_body(std::string_view data, bool end_stream);
  bool replay_after_idle_race(AttemptFailure failure);
  // True: another attempt was scheduled.
  bool retry(RetryDecision decision);
  void on_global_timeout();
  void fail_request(AttemptFailure failure, std::string_view transport_reason);
  WorkerCluster* cluster();

  Stream& stream_;
  const Route* route_ = nullptr;
  const WeightedCluster* choice_ = nullptr;
  std::shared_ptr<const ClusterInfo> cluster_info_;
  std::unique_ptr<UpstreamAttempt> attempt_;
  std::optional<RetryState> retry_;
  std::vector<std::shared_ptr<Mirror>> mirrors_;
  std::vector<HostPtr> attempted_;

  std::chrono::milliseconds global_timeout_{0}, per_try_timeout_{0}, per_try_idle_timeout_{0};
  std::optional<net::Timer> global_timer_, backoff_timer_;
  std::optional<uint64_t> hash_;
  std::string set_cookie_;  // the hash policy's, for the response

  net::Buffer body_;  // what attempts to come must send: all so far, or what was not sent yet
  const http::HeaderMap* trailers_ = nullptr;
  uint32_t attempts_ = 0;
  bool keep_body_ = false;  // body_ holds all of the body so far, for another attempt
  bool body_sent_ = false;  // some body went out that body_ does not hold
  bool body_paused_ = false;
  bool request_ended_ = false;
  bool response_started_ = false;
  bool replayed_ = false;
  bool over_ = false;
};

}  // namespace sennit::proxy

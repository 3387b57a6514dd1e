// One request and its response, from the client's side: head sanitised, filters walked, the router
// started, the response sent, everything counted and logged at the end. Made by ServerConnection,
// deletes itself (deferred to the end of the event batch) when it is complete. Its memory comes
// from the worker's free list.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "http/codec.h"
#include "net/buffer.h"
#include "net/event_loop.h"
#include "proxy/filter/filter.h"
#include "proxy/stream/hcm_settings.h"
#include "proxy/stream/local_reply.h"
#include "proxy/stream/request_head.h"
#include "proxy/stream/router.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

class ServerConnection;
class Stream;

// One filter at work on one stream.
class FilterSlot final : public FilterCallbacks {
 public:
  FilterSlot(Stream& stream, const FilterEntry& entry) : stream_(&stream), entry_(&entry) {}
  FilterSlot(FilterSlot&&) = default;

  void create() { filter_ = entry_->factory->create(*this); }
  Filter& filter() { return *filter_; }
  bool wants(uint32_t hook) const { return filter_ != nullptr && (entry_->hooks & hook) != 0; }

  StreamInfo& info() override;
  const Route* route() override;
  void clear_route() override;
  const void* route_config() override;
  http::HeaderMap& request_headers() override;
  http::HeaderMap* response_headers() override;
  void resume_request() override;
  void send_local_reply(int status, std::string_view body, std::string_view details,
                        ResponseFlags flags) override;
  net::EventLoop& loop() override;
  WorkerClusters& clusters() override;
  stats::Shard& stats() override;
  uint64_t random() override;

 private:
  Stream* stream_;
  const FilterEntry* entry_;
  std::unique_ptr<Filter> filter_;
};

class Stream final : public net::DeferredDeletable,
                     public http::RequestDecoder,
                     public http::StreamCallbacks {
 public:
  Stream(ServerConnection& connection, http::ResponseEncoder& encoder);
  ~Stream() override;
  static void* operator new(size_t size);
  static void operator delete(void* block);

  void on_headers(http::HeaderMap&& headers, bool end_stream) override;
  void on_data(std::string_view data, bool end_stream) override;
  void on_trailers(http::HeaderMap&& trailers) override;
  void on_bad_request(int status, std::string_view details) override;

  void on_reset(http::ResetReason reason) override;
  void on_above_write_watermark() override;
  void on_below_write_watermark() override;

  // The downstream connection is gone (`details`: by whose doing); the encoder must not be used.
  void on_connection_lost(std::string_view details);

  // --- for the router: the response on its way to the client ---
  void respond_1xx(http::HeaderMap&& headers);
  void respond_headers(http::HeaderMap&& headers, bool end_stream);
  void respond_data(std::string_view data, bool end_stream);
  void respond_trailers(http::HeaderMap&& trailers);
  // Answers, or resets the stream where the response has begun already.
  void local_reply(const LocalReply& reply);
  // Counted: the client sends no more body until each true has been matched by a false.
  void pause_request(bool pause);

  // --- for filters and the router ---
  const Route* route();
  const WeightedCluster* cluster_choice() { return route() ? choice_ : nullptr; }
  void clear_route();
  void resume_request();
  StreamInfo& info() { return info_; }
  http::HeaderMap& request() { return request_; }
  http::HeaderMap* response() { return response_started_ ? &response_ : pending_response_; }
  const RequestHead& head() const { return head_; }
  const HcmSettings& settings() const { return settings_; }
  WorkerContext& worker() { return worker_; }
  bool request_ended() const { return request_ended_; }
  bool response_started() const { return response_started_; }
  bool complete() const { return complete_; }
  bool response_above_watermark() const { return response_paused_; }
  net::TimePoint request_end_time() const { return request_end_time_; }
  // A longest duration that the route or the client's grpc-timeout sets; replaces the HCM's. Zero:
  // none.
  void limit_duration(std::chrono::milliseconds duration);

 private:
  friend class ServerConnection;

  void prepare_info();
  void use_client_address(const net::Address& address);
  void arm_timers();
  bool upgrade_allowed();
  void create_filters();
  void walk_filters();
  void hold_body(std::string_view data);
  void deliver_held_body();
  void deliver_data(std::string_view data, bool end_stream);
  void deliver_trailers();
  void note_request_end();
  void touch_idle_timer();
  void send_headers(bool end_stream);
  void note_response_end();
  void finish_if_done();
  void finish();
  void on_idle_timeout();
  void on_duration_timeout();
  void on_request_timeout();
  void count_and_log();

  ServerConnection& connection_;
  WorkerContext& worker_;
  const HcmSettings& settings_;
  http::ResponseEncoder* encoder_;  // nullptr once it must not be touched
  // The connection's list of its streams.
  Stream* previous_ = nullptr;
  Stream* next_ = nullptr;

  http::HeaderMap request_, response_, response_trailers_;
  http::HeaderMap* pending_response_ = nullptr;  // while response filters look at it
  RequestHead head_;
  StreamInfo info_;
  std::unique_ptr<DownstreamInfo> own_downstream_;  // where x-forwarded-for names another client

  std::shared_ptr<const RouteTable> table_;
  const Route* route_ = nullptr;
  const WeightedCluster* choice_ = nullptr;

  std::vector<FilterSlot> filters_;
  size_t next_filter_ = 0;
  std::optional<Router> router_;

  net::Buffer held_body_;
  std::unique_ptr<http::HeaderMap> request_trailers_;
  net::TimePoint request_end_time_{};

  std::optional<net::Timer> idle_timer_, duration_timer_, request_timer_;

  bool route_resolved_ : 1 = false;
  bool filters_done_ : 1 = false;
  bool waiting_for_filter_ : 1 = false;
  bool resumed_early_ : 1 = false;
  bool holding_paused_ : 1 = false;
  bool request_ended_ : 1 = false;
  bool response_started_ : 1 = false;
  bool response_ended_ : 1 = false;
  bool response_paused_ : 1 = false;
  bool close_connection_ : 1 = false;
  bool complete_ : 1 = false;
};

}  // namespace sennit::proxy

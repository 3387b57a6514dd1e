#include "proxy/stream/stream.h"

#include <algorithm>

#include "proxy/stream/details.h"
#include "proxy/stream/limits.h"
#include "proxy/stream/server_connection.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {

using http::HeaderId;

namespace {
FreeList& stream_blocks() {
  thread_local FreeList list(sizeof(Stream));
  return list;
}
}  // namespace

void* Stream::operator new(size_t) {
  return stream_blocks().take();
}
void Stream::operator delete(void* block) {
  stream_blocks().give_back(block);
}

Stream::Stream(ServerConnection& connection, http::ResponseEncoder& encoder)
    : connection_(connection),
      worker_(connection.worker()),
      settings_(connection.settings()),
      encoder_(&encoder) {
  encoder.set_callbacks(this);
  // The response before this one, of a pipeline, may still wait to be written.
  response_paused_ = encoder.above_write_watermark();
  auto& loop = worker().loop;
  info_.start = loop.now();
  info_.start_time = worker_local().clock.now(info_.start);
  info_.downstream = &connection.downstream();
}

Stream::~Stream() = default;

// --- the request -----------------------------------------------------------------------------

void Stream::on_headers(http::HeaderMap&& headers, bool end_stream) {
  request_ = std::move(headers);
  prepare_info();
  if (auto refusal = check_head(settings_, request_, connection_.downstream(), head_)) {
    if (end_stream) note_request_end();
    if (refusal->details == details::kAbsolutePath) {
      worker().stats.inc(settings_.stats.rq_non_relative_path);
    }
    return local_reply(
        {.status = refusal->status, .details = refusal->details, .location = refusal->location});
  }
  mark_forwarded(settings_, request_, connection_.downstream(), connection_.cert_element(),
                 worker_local().random, head_);
  if (head_.client) use_client_address(*head_.client);
  if (end_stream) note_request_end();
  arm_timers();
  if (!settings_.proxy_100_continue && request_.has(HeaderId::Expect)) {
    request_.remove(HeaderId::Expect);
    http::HeaderMap go_on;
    go_on.add(HeaderId::Status, "100");
    encoder_->encode_1xx(go_on);
  }
  table_ = connection_.routes();
  if (!head_.upgrade.empty() && !upgrade_allowed()) {
    return local_reply({.status = 403, .details = details::kUpgradeFailed});
  }
  create_filters();
  walk_filters();
}

void Stream::prepare_info() {
  info_.protocol = connection_.protocol();
  head_.is_head = request_.method() == "HEAD";
  const auto type = request_.get(HeaderId::ContentType);
  info_.is_grpc =
      type && type->starts_with("application/grpc") && (type->size() == 16 || (*type)[16] == '+');
  auto& stats = worker().stats;
  stats.inc(settings_.stats.rq_total);
  stats.inc(info_.protocol == http::Protocol::Http2 ? settings_.stats.rq_http2_total
                                                    : settings_.stats.rq_http1_total);
}

void Stream::use_client_address(const net::Address& address) {
  const DownstreamInfo& shared = connection_.downstream();
  if (address.ip_string() == shared.remote_address.ip_string()) return;
  own_downstream_ = std::make_unique<DownstreamInfo>(shared);
  own_downstream_->remote_address = address;
  info_.downstream = own_downstream_.get();
}

void Stream::arm_timers() {
  auto& loop = worker().loop;
  if (settings_.stream_idle_timeout.count() > 0) {
    idle_timer_.emplace(loop, [this] { on_idle_timeout(); });
    touch_idle_timer();
  }
  if (settings_.max_stream_duration.count() > 0) limit_duration(settings_.max_stream_duration);
  if (settings_.request_timeout.count() > 0 && !request_ended_) {
    request_timer_.emplace(loop, [this] { on_request_timeout(); });
    request_timer_->enable(settings_.request_timeout);
  }
}

void Stream::limit_duration(std::chrono::milliseconds duration) {
  duration_timer_.reset();
  if (duration.count() == 0) return;
  duration_timer_.emplace(worker().loop, [this] { on_duration_timeout(); });
  duration_timer_->enable(duration);
}

void Stream::touch_idle_timer() {
  if (idle_timer_) idle_timer_->enable(settings_.stream_idle_timeout);
}

bool Stream::upgrade_allowed() {
  const auto lists = [this](const std::vector<std::string>& upgrades) {
    return std::ranges::find(upgrades, head_.upgrade) != upgrades.end();
  };
  return lists(settings_.upgrades) || (route() != nullptr && lists(route_->upgrades));
}

void Stream::create_filters() {
  if (settings_.filters.empty()) return;
  const Route* chosen = route();
  filters_.reserve(settings_.filters.size());  // slots must not move: filters keep references
  for (const FilterEntry& entry : settings_.filters) {
    if (chosen != nullptr && chosen->filter_disabled(entry.name, choice_)) continue;
    filters_.emplace_back(*this, entry);
    filters_.back().create();
  }
}

void Stream::walk_filters() {
  while (next_filter_ < filters_.size()) {
    FilterSlot& slot = filters_[next_filter_++];
    if (!slot.wants(kRequestHeaders)) continue;
    resumed_early_ = false;
    const bool end = request_ended_ && held_body_.empty() && !request_trailers_;
    const FilterResult result = slot.filter().on_request_headers(request_, end);
    if (response_started_ || complete_) return;
    if (result == FilterResult::Stop && !resumed_early_) {
      waiting_for_filter_ = true;
      return;
    }
  }
  filters_done_ = true;
  router_.emplace(*this);
  router_->start(request_ended_ && held_body_.empty() && !request_trailers_);
  deliver_held_body();
}

void Stream::resume_request() {
  if (complete_ || response_started_ || filters_done_) return;
  if (!waiting_for_filter_) {
    resumed_early_ = true;  // from inside on_request_headers
    return;
  }
  waiting_for_filter_ = false;
  walk_filters();
}

void Stream::on_data(std::string_view data, bool end_stream) {
  if (complete_) return;
  info_.bytes_received += data.size();
  if (end_stream) note_request_end();
  touch_idle_timer();
  if (response_ended_) return finish_if_done();
  if (!filters_done_) return hold_body(data);
  deliver_data(data, end_stream);
}

// Reading stops beyond the limit, so what is held is bounded by it and one read.
void Stream::hold_body(std::string_view data) {
  held_body_.append(data);
  if (!holding_paused_ && !request_ended_ && held_body_.size() > limits::kHeldBodyBytes) {
    holding_paused_ = true;
    pause_request(true);
  }
}

void Stream::deliver_held_body() {
  if (holding_paused_) {
    holding_paused_ = false;
    pause_request(false);
  }
  if (complete_ || response_ended_) return;
  if (!held_body_.empty()) {
    net::Buffer body = std::move(held_body_);
    deliver_data(body.view(), request_ended_ && !request_trailers_);
  }
  if (request_trailers_ && !complete_ && !response_ended_) deliver_trailers();
}

void Stream::deliver_data(std::string_view data, bool end_stream) {
  if (settings_.filter_hooks & kRequestData) {
    for (FilterSlot& slot : filters_) {
      if (!slot.wants(kRequestData)) continue;
      slot.filter().on_request_data(data, end_stream);
      if (response_ended_ || complete_) return;
    }
  }
  router_->data(data, end_stream);
}

void Stream::on_trailers(http::HeaderMap&& trailers) {
  if (complete_) return;
  note_request_end();
  touch_idle_timer();
  if (response_ended_) return finish_if_done();
  request_trailers_ = std::make_unique<http::HeaderMap>(std::move(trailers));
  if (filters_done_) deliver_trailers();
}

void Stream::deliver_trailers() {
  for (FilterSlot& slot : filters_) {
    if (!slot.wants(kRequestTrailers)) continue;
    slot.filter().on_request_trailers(*request_trailers_);
    if (response_ended_ || complete_) return;
  }
  router_->trailers(*request_trailers_);
}

void Stream::note_request_end() {
  request_ended_ = true;
  request_timer_.reset();
  request_end_time_ = worker().loop.now();
  info_.last_downstream_byte_received = request_end_time_ - info_.start;
}

void Stream::on_bad_request(int status, std::string_view details) {
  if (complete_) return;
  if (!info_.protocol) prepare_info();
  request_ended_ = true;  // nothing more comes that could be understood
  close_connection_ = true;
  ResponseFlags flags;
  flags.set(ResponseFlag::DownstreamProtocolError);
  local_reply({.status = status, .details = details, .flags = flags});
}

void Stream::pause_request(bool pause) {
  if (encoder_ != nullptr) encoder_->read_disable(pause);
}

// --- routes ----------------------------------------------------------------------------------

const Route* Stream::route() {
  if (route_resolved_) return route_;
  route_resolved_ = true;
  if (!table_) return nullptr;
  auto& random = worker_local().random;
  route_ = table_->match(request_, info_, random.next());
  if (route_ == nullptr) return nullptr;
  if (!route_->clusters.empty()) {
    choice_ = route_->clusters.size() == 1 ? &route_->clusters.front()
                                           : &route_->choose_cluster(random.next());
  }
  info_.route_name = route_->name;
  return route_;
}

void Stream::clear_route() {
  if (filters_done_) return;
  route_resolved_ = false;
  route_ = nullptr;
  choice_ = nullptr;
}

}  // namespace sennit::proxy

#include "proxy/stream/mirror.h"

#include "proxy/stream/limits.h"

namespace sennit::proxy {
namespace {

// Puts the end of a mirror off until its caller is done with it.
struct Holder final : net::DeferredDeletable {
  explicit Holder(std::shared_ptr<Mirror> held) : mirror(std::move(held)) {}
  std::shared_ptr<Mirror> mirror;
};

}  // namespace

void mark_host_as_shadow(http::HeaderMap& request) {
  constexpr std::string_view kSuffix = "-shadow";
  std::string host(request.authority());
  const size_t colon = host.rfind(':');
  const bool port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  host.insert(port ? colon : host.size(), kSuffix);
  request.set(http::HeaderId::Authority, host);
}

Mirror::Mirror(WorkerClusters& clusters, std::string cluster, http::HeaderMap headers)
    : clusters_(clusters), cluster_name_(std::move(cluster)), headers_(std::move(headers)) {}

std::shared_ptr<Mirror> Mirror::start(WorkerClusters& clusters, std::string cluster_name,
                                      http::HeaderMap headers, bool end_stream,
                                      http::Protocol downstream, std::chrono::milliseconds timeout,
                                      uint64_t random) {
  WorkerCluster* cluster = clusters.find(cluster_name);
  if (cluster == nullptr) return nullptr;
  std::shared_ptr<Mirror> mirror(new Mirror(clusters, std::move(cluster_name), std::move(headers)));
  PickContext context;
  context.headers = &mirror->headers_;
  context.random = random;
  mirror->host_ = cluster->pick(context);
  if (!mirror->host_) return nullptr;
  mirror->self_ = mirror;
  mirror->request_ended_ = end_stream;
  if (timeout.count() > 0) {
    mirror->timer_.emplace(clusters.loop(), [m = mirror.get()] { m->give_up(); });
    mirror->timer_->enable(timeout);
  }
  const StreamOptions options{.downstream = downstream, .authority = mirror->headers_.authority()};
  auto pending = cluster->new_stream_with(mirror->host_, options, *mirror, *mirror);
  if (mirror->self_ && mirror->encoder_ == nullptr) mirror->pending_ = std::move(pending);
  return mirror;
}

void Mirror::on_pool_ready(http::RequestEncoder& encoder, http::Protocol, const net::Connection&,
                           bool) {
  if (!self_) return encoder.reset(http::ResetReason::LocalReset);
  encoder_ = &encoder;
  ready_at_ = clusters_.loop().now();
  encoder.set_callbacks(this);
  const bool end = request_ended_ && held_.empty() && !trailers_;
  request_sent_ = end;
  encoder.encode_headers(headers_, end);
  if (!end) send_held();
}

void Mirror::send_held() {
  if (encoder_ == nullptr || blocked_ || request_sent_) return;
  const bool end = request_ended_ && !trailers_;
  if (!held_.empty() || end) {
    net::Buffer held = std::move(held_);
    request_sent_ = end;
    encoder_->encode_data(held.view(), end);
  }
  if (encoder_ != nullptr && request_ended_ && trailers_ && !request_sent_) {
    request_sent_ = true;
    encoder_->encode_trailers(*trailers_);
  }
}

void Mirror::data(std::string_view data, bool end_stream) {
  if (!self_ || request_sent_) return;
  request_ended_ = request_ended_ || end_stream;
  held_.append(data);
  send_held();
  if (held_.size() > limits::kMirrorBodyBytes) give_up();
}

void Mirror::trailers(const http::HeaderMap& trailers) {
  if (!self_ || request_sent_) return;
  trailers_ = trailers.clone();
  request_ended_ = true;
  send_held();
}

void Mirror::abandon() {
  if (self_ && !request_ended_) give_up();
}

void Mirror::on_below_write_watermark() {
  blocked_ = false;
  send_held();
}

void Mirror::on_headers(http::HeaderMap&& headers, bool end_stream) {
  status_ = headers.status();
  if (end_stream) response_complete();
}

void Mirror::on_data(std::string_view, bool end_stream) {
  if (end_stream) response_complete();
}

void Mirror::on_trailers(http::HeaderMap&&) {
  response_complete();
}

void Mirror::on_reset(http::ResetReason) {
  encoder_ = nullptr;
  finish();
}

void Mirror::response_complete() {
  if (request_sent_) {  // the stream is complete, or will be: the codec lets it go
    if (auto* encoder = std::exchange(encoder_, nullptr)) encoder->set_callbacks(nullptr);
  }
  give_up();
}

void Mirror::give_up() {
  pending_.reset();
  if (auto* encoder = std::exchange(encoder_, nullptr)) {
    encoder->set_callbacks(nullptr);
    encoder->reset(http::ResetReason::LocalReset);
  }
  finish();
}

void Mirror::finish() {
  if (!self_) return;
  timer_.reset();
  held_.clear();
  if (ready_at_ != net::TimePoint{}) {
    if (WorkerCluster* cluster = clusters_.find(cluster_name_)) {
      const auto time =
          std::chrono::duration_cast<std::chrono::milliseconds>(clusters_.loop().now() - ready_at_);
      cluster->report(host_,
                      status_ == 0     ? HostResult::LocalReset
                      : status_ >= 500 ? HostResult::Error5xx
                                       : HostResult::Success,
                      status_, time);
    }
  }
  clusters_.loop().defer_delete(std::make_unique<Holder>(std::move(self_)));
}

}  // namespace sennit::proxy

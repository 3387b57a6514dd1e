#include "proxy/stream/server_connection.h"
#include "proxy/stream/stream.h"
#include "proxy/stream/worker_local.h"

namespace sennit::proxy {

StreamInfo& FilterSlot::info() {
  return stream_->info();
}
const Route* FilterSlot::route() {
  return stream_->route();
}
void FilterSlot::clear_route() {
  stream_->clear_route();
}

const void* FilterSlot::route_config() {
  const Route* route = stream_->route();
  return route ? route->filter_config(entry_->name, stream_->cluster_choice()) : nullptr;
}

http::HeaderMap& FilterSlot::request_headers() {
  return stream_->request();
}
http::HeaderMap* FilterSlot::response_headers() {
  return stream_->response();
}
void FilterSlot::resume_request() {
  stream_->resume_request();
}

void FilterSlot::send_local_reply(int status, std::string_view body, std::string_view details,
                                  ResponseFlags flags) {
  stream_->local_reply({.status = status, .body = body, .details = details, .flags = flags});
}

net::EventLoop& FilterSlot::loop() {
  return stream_->worker().loop;
}
WorkerClusters& FilterSlot::clusters() {
  return stream_->worker().clusters;
}
stats::Shard& FilterSlot::stats() {
  return stream_->worker().stats;
}
uint64_t FilterSlot::random() {
  return worker_local().random.next();
}

}  // namespace sennit::proxy

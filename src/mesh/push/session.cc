#include "mesh/push/session.h"

#include <algorithm>

#include "base/log.h"

namespace sennit::mesh {

Session::Session(Send send, MakeResources make_resources, std::shared_ptr<const Mesh> mesh,
                 PushCounters& counters)
    : send_(std::move(send)),
      make_resources_(std::move(make_resources)),
      mesh_(std::move(mesh)),
      counters_(counters) {}

Status Session::on_request(const DiscoveryRequest& request) {
  return handle(request);
}

Status Session::on_request(const DeltaDiscoveryRequest& request) {
  {
    std::lock_guard lock(mutex_);
    delta_ = true;
  }
  return handle(request);
}

template <typename Request>
Status Session::handle(const Request& request) {
  std::lock_guard lock(mutex_);
  if (!proxy_) {
    if (!request.has_node()) return fail("the first request of a stream must carry the node");
    if (Status ok = identify(request.node()); !ok) return ok;
  }
  if (request.type_url().empty()) return fail("the request names no type_url");
  xds::Watch& subscription = watch(request.type_url());
  const uint64_t rejections = subscription.rejections();
  const bool must_answer = subscription.on_request(request);
  note_rejection(subscription, rejections);
  if (!must_answer || closed_) return {};
  auto resources = make_resources_(*mesh_, *proxy_);
  respond(subscription, *resources, {.must_answer = true});
  return {};
}

Status Session::identify(const envoy::config::core::v3::Node& node) {
  auto proxy = proxy_from_node(node);
  if (!proxy) return std::unexpected(proxy.error());
  proxy_ = std::make_shared<const Proxy>(std::move(*proxy));
  user_agent_ = node.user_agent_name();
  // Where `sennit status` finds the proxy's own figures, if it says so.
  auto admin = node.metadata().fields().find("ADMIN_ADDRESS");
  if (admin != node.metadata().fields().end()) admin_address_ = admin->second.string_value();
  return {};
}

xds::Watch& Session::watch(const std::string& type_url) {
  return watches_.try_emplace(type_url, type_url).first->second;
}

void Session::note_rejection(const xds::Watch& watch, uint64_t before) {
  if (watch.rejections() == before) return;
  ++counters_.rejections;
  log::warn("xds", "{} rejected its {}: {}", proxy_->id, xds::short_type(watch.type_url()),
            watch.rejection());
}

void Session::respond(xds::Watch& watch, const xds::Resources& resources,
                      const xds::Watch::Demand& demand) {
  auto send = [&](auto response) {
    if (!response) return;
    ++counters_.responses;
    counters_.response_bytes += response->ByteSizeLong();
    send_(std::move(*response));
  };
  if (delta_) {
    send(watch.make_delta(resources, demand));
  } else {
    send(watch.make_response(resources, demand));
  }
}

void Session::push(std::shared_ptr<const Mesh> mesh, const ChangeSummary& change) {
  std::lock_guard lock(mutex_);
  mesh_ = std::move(mesh);
  if (!proxy_ || closed_) return;
  // A workload's own listeners follow from its registration, so its proxy looks at everything.
  const bool everything =
      change.everything || std::any_of(proxy_->ips.begin(), proxy_->ips.end(), [&](const auto& ip) {
        return change.workload_addresses.contains(ip);
      });
  if (!everything && change.services.empty()) return;
  ++counters_.pushes;
  auto resources = make_resources_(*mesh_, *proxy_);
  for (std::string_view type : kPushOrder) {
    auto found = watches_.find(type);
    if (found == watches_.end()) continue;
    if (!everything && type != kEndpointType) continue;
    // Clusters that go away stay until routes no longer name them: see below.
    respond(found->second, *resources,
            {.keep_removed = type == kClusterType,
             .services = everything ? nullptr : &change.services});
    // A proxy waits for the endpoints of a cluster that came anew, changed or not.
    auto endpoints = watches_.find(kEndpointType);
    if (type == kClusterType && endpoints != watches_.end())
      endpoints->second.resend(found->second.last_changed());
  }
  auto clusters = watches_.find(kClusterType);
  if (delta_ && everything && clusters != watches_.end()) respond(clusters->second, *resources, {});
}

std::shared_ptr<const Proxy> Session::proxy() const {
  std::lock_guard lock(mutex_);
  return proxy_;
}

void Session::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

Session::Snapshot Session::status() const {
  std::lock_guard lock(mutex_);
  Snapshot status{proxy_, user_agent_, admin_address_, delta_, connected_, {}};
  for (const auto& [type, watch] : watches_)
    status.types.push_back({std::string(xds::short_type(type)), watch.sent_count(),
                            watch.acknowledged() && watch.rejection().empty(), watch.rejection()});
  return status;
}

}  // namespace sennit::mesh

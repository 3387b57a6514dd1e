#include "proxy/xds/discovery_stream.h"

#include <algorithm>

#include "base/log.h"

namespace sennit::proxy {

DiscoveryStream::DiscoveryStream(net::EventLoop& loop, DiscoveryTransport& transport,
                                 DiscoveryStreamOptions options, stats::Registry& registry,
                                 stats::Shard& shard)
    : loop_(loop),
      transport_(transport),
      options_(std::move(options)),
      registry_(registry),
      shard_(shard),
      connected_state_(registry.gauge({"control_plane.connected_state", "", {}})),
      reconnect_(loop, [this] { open(); }),
      random_(std::random_device()()) {}

DiscoveryStream::~DiscoveryStream() = default;

Subscription& DiscoveryStream::add(const std::string& type_url, bool wildcard,
                                   ResourceConsumer consumer, const std::string& stats_prefix) {
  const auto counter = [&](const char* name) {
    return registry_.counter({stats_prefix + name, "", {}});
  };
  SubscriptionStats stats{counter("update_attempt"), counter("update_success"),
                          counter("update_failure"), counter("update_rejected")};
  auto& entry = *entries_.emplace_back(
      new Entry{Subscription(type_url, wildcard, std::move(consumer)), stats});
  tell(entry);
  return entry.subscription;
}

void DiscoveryStream::set_names(Subscription& subscription, const std::vector<std::string>& names) {
  if (!subscription.set_names(names)) return;
  if (Entry* entry = find(subscription.type_url())) tell(*entry);
}

void DiscoveryStream::start() {
  started_ = true;
  open();
}

void DiscoveryStream::open() {
  connected_ = false;
  broken_ = false;
  node_sent_ = false;
  call_.reset();
  call_ = transport_.open(options_.cluster, options_.method, *this);
  for (auto& entry : entries_) entry->subscription.on_new_stream();
  for (auto& entry : entries_) tell(*entry);
}

// Nothing is said of a type that nothing was ever wanted of; but that nothing more is wanted is.
void DiscoveryStream::tell(Entry& entry) {
  if (!started_ || broken_ || !call_) return;
  if (!entry.subscription.wanted() && !entry.subscription.asked()) return;
  shard_.inc(entry.stats.update_attempt);
  if (options_.delta) {
    send(entry.subscription.delta_request());
  } else {
    send(entry.subscription.sotw_request());
  }
}

template <typename Request>
void DiscoveryStream::send(Request request) {
  if (!node_sent_ || !options_.set_node_on_first_message_only) {
    *request.mutable_node() = options_.node;
  }
  node_sent_ = true;
  call_->send(request.SerializeAsString());
}

DiscoveryStream::Entry* DiscoveryStream::find(const std::string& type_url) {
  for (auto& entry : entries_) {
    if (entry->subscription.type_url() == type_url) return entry.get();
  }
  return nullptr;
}

void DiscoveryStream::on_message(std::string_view message) {
  if (broken_) return;
  if (!connected_) {
    connected_ = true;
    failures_ = 0;
    shard_.set(connected_state_, 1);
    log::info("xds", "receiving configuration from {}", options_.cluster);
  }
  if (options_.delta) {
    handle<Subscription::DeltaResponse>(message);
  } else {
    handle<Subscription::SotwResponse>(message);
  }
}

template <typename Response>
void DiscoveryStream::handle(std::string_view message) {
  Response response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return on_closed("an answer does not parse");
  }
  Entry* entry = find(response.type_url());
  if (!entry) {
    log::warn("xds", "{} sent {}, which was not asked for", options_.cluster, response.type_url());
    return;
  }
  auto answer = entry->subscription.handle(response);
  if (answer.has_error_detail()) {
    shard_.inc(entry->stats.update_rejected);
    log::warn("xds", "rejected {} from {}: {}", response.type_url(), options_.cluster,
              answer.error_detail().message());
  } else {
    shard_.inc(entry->stats.update_success);
  }
  shard_.inc(entry->stats.update_attempt);
  send(std::move(answer));
}

void DiscoveryStream::on_closed(const std::string& reason) {
  if (broken_) return;
  broken_ = true;
  shard_.set(connected_state_, 0);
  for (auto& entry : entries_) {
    if (entry->subscription.wanted()) shard_.inc(entry->stats.update_failure);
  }
  // The first try often comes before the server, or before the secrets to reach it with.
  log::write(failures_ == 0 && !connected_ ? spdlog::level::debug : spdlog::level::warn, "xds",
             "stream to {} closed: {}; the last configuration stays in use", options_.cluster,
             reason);
  schedule_reconnect();
}

void DiscoveryStream::retry_now() {
  if (!reconnect_.enabled()) return;
  reconnect_.disable();
  open();
}

void DiscoveryStream::schedule_reconnect() {
  const uint32_t exponent = std::min(failures_++, 6u);  // 500 ms * 2^6 is above the bound
  const auto bound = std::min(kReconnectMax, kReconnectBase * (1 << exponent));
  std::uniform_int_distribution<int64_t> jitter(1, bound.count());
  reconnect_.enable(net::Milliseconds(jitter(random_)));
}

}  // namespace sennit::proxy

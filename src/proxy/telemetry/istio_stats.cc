#include "proxy/telemetry/istio_stats.h"

#include <algorithm>
#include <unordered_map>

#include "proxy/match/field_path.h"
#include "proxy/match/fraction.h"
#include "proxy/upstream/cluster_info.h"
#include "proxy/upstream/host.h"

namespace sennit::proxy {
namespace {

constexpr uint32_t kMaxTuples = 20'000;  // label tuples of one filter; a large mesh has some 1000
constexpr size_t kMaxCachedPerWorker = 4096;  // beyond, a worker's cache starts afresh
constexpr std::string_view kUnknown = "unknown";

constexpr std::array<std::string_view, IstioStats::kMetricCount> kNames = {
    "requests_total",
    "request_duration_milliseconds",
    "request_bytes",
    "response_bytes",
    "tcp_sent_bytes_total",
    "tcp_received_bytes_total",
    "tcp_connections_opened_total",
    "tcp_connections_closed_total"};

uint64_t next_instance() {
  static std::atomic<uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

std::string known(std::string_view value) {
  return std::string(value.empty() ? kUnknown : value);
}

bool is_catch_all(std::string_view cluster) {
  return cluster == "BlackHoleCluster" || cluster == "PassthroughCluster" ||
         cluster == "InboundPassthroughCluster";
}

void add_workload_labels(stats::Labels& labels, const std::string& side, const PeerMetadata& peer,
                         std::string_view principal) {
  labels.emplace_back(side + "_workload", known(peer.workload));
  labels.emplace_back(side + "_canonical_service", known(peer.canonical_name));
  labels.emplace_back(side + "_canonical_revision",
                      peer.canonical_revision.empty() ? "latest" : peer.canonical_revision);
  labels.emplace_back(side + "_workload_namespace", known(peer.namespace_));
  labels.emplace_back(side + "_principal", known(principal));
  labels.emplace_back(side + "_app", known(peer.app));
  labels.emplace_back(side + "_version", known(peer.version));
  labels.emplace_back(side + "_cluster", known(peer.cluster));
}

}  // namespace

// What decides a tuple. Pointers are compared; the cache keeps what they point at alive.
struct IstioStats::Key {
  uint64_t instance = 0;
  const PeerMetadata* peer = nullptr;  // by metadata exchange
  const Host* host = nullptr;          // where there is no peer
  const ClusterInfo* cluster = nullptr;
  int response_code = 0;
  uint32_t flags = 0;
  int grpc_status = -1;
  bool tcp = false, is_grpc = false, tls = false;
  std::string_view peer_principal, local_principal;
  std::string_view host_header;  // where it serves as the destination's name

  bool operator==(const Key&) const = default;
  uint64_t hash() const {
    uint64_t value = 0;
    const auto add = [&](uint64_t bits) {
      value = (value ^ bits) * 0x9e3779b97f4a7c15ULL;
      value ^= value >> 32;
    };
    add(instance);
    add(reinterpret_cast<uintptr_t>(peer));
    add(reinterpret_cast<uintptr_t>(host));
    add(reinterpret_cast<uintptr_t>(cluster));
    add(static_cast<uint64_t>(response_code) << 32 | flags);
    add(static_cast<uint64_t>(grpc_status) << 3 | tcp << 2 | is_grpc << 1 | tls);
    add(peer_principal.size() << 32 | host_header.size());
    if (!host_header.empty()) add(std::hash<std::string_view>()(host_header));
    if (!peer_principal.empty()) add(std::hash<std::string_view>()(peer_principal));
    return value;
  }
};

// A tuple in a worker's cache, with everything that its key points at.
struct IstioStats::Cached {
  Key key;
  std::shared_ptr<const PeerMetadata> peer;
  std::shared_ptr<const Host> host;
  std::shared_ptr<const ClusterInfo> cluster;
  std::unique_ptr<std::array<std::string, 3>> texts;  // what the key's views look into
  Ids ids;
};

IstioStats::IstioStats(stats::Registry& registry, const LocalNode& node, Reporter reporter)
    : registry_(registry),
      local_(local_peer_metadata(node)),
      reporter_(reporter),
      instance_(next_instance()) {}

Result<std::shared_ptr<const IstioStats>> IstioStats::create(const ::stats::PluginConfig& config,
                                                             stats::Registry& registry,
                                                             const LocalNode& node,
                                                             Reporter reporter) {
  if (config.definitions_size() > 0) return fail("definitions: is not supported");
  if (config.reporter() == ::stats::SERVER_GATEWAY) reporter = Reporter::Destination;
  std::shared_ptr<IstioStats> made(new IstioStats(registry, node, reporter));
  made->host_header_fallback_ = !config.disable_host_header_fallback();
  if (config.has_tcp_reporting_duration()) {
    auto interval = to_milliseconds(config.tcp_reporting_duration());
    if (!interval) return std::unexpected(in_field(interval.error(), "tcp_reporting_duration"));
    made->tcp_interval_ = *interval;
  }
  if (auto ok = made->apply_overrides(config); !ok) return std::unexpected(ok.error());
  return made;
}

Status IstioStats::apply_overrides(const ::stats::PluginConfig& config) {
  for (int i = 0; i < config.metrics_size(); ++i) {
    auto ok = apply_override(config.metrics(i));
    if (!ok) return std::unexpected(in_field(ok.error(), fmt::format("metrics[{}]", i)));
  }
  return {};
}

Status IstioStats::apply_override(const ::stats::MetricConfig& config) {
  if (!config.match().empty()) return fail("match: is not supported");
  stats::Labels constants;
  for (const auto& [label, expression] : config.dimensions()) {
    const bool quoted = expression.size() >= 2 && expression.front() == expression.back() &&
                        (expression.front() == '\'' || expression.front() == '"');
    if (!quoted)
      return fail("dimensions[{}]: the expression {} is not supported", label, expression);
    constants.emplace_back(label, expression.substr(1, expression.size() - 2));
  }
  std::ranges::sort(constants);
  bool found = config.name().empty();
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (!config.name().empty() && config.name() != kNames[i]) continue;
    found = true;
    Override& override = overrides_[i];
    override.drop = override.drop || config.drop();
    override.remove.insert(override.remove.end(), config.tags_to_remove().begin(),
                           config.tags_to_remove().end());
    override.constants.insert(override.constants.end(), constants.begin(), constants.end());
  }
  return found ? Status() : fail("name: {} is not a metric", config.name());
}

IstioStats::Key IstioStats::make_key(const StreamInfo& info, const http::HeaderMap* request) const {
  Key key;
  key.instance = instance_;
  key.cluster = info.cluster.get();
  key.flags = info.flags.bits();
  key.tcp = !info.protocol.has_value();
  if (!key.tcp) {
    key.response_code = info.response_code;
    key.is_grpc = info.is_grpc;
    if (info.is_grpc) key.grpc_status = info.grpc_status.value_or(-1);
  }
  if (reporter_ == Reporter::Source) {
    key.peer = info.upstream.peer.get();
    if (key.peer == nullptr) key.host = info.upstream.host.get();
    key.peer_principal = info.upstream.peer_principal;
    key.local_principal = info.upstream.local_principal;
  } else if (info.downstream != nullptr) {
    key.peer = info.downstream_peer ? info.downstream_peer.get() : info.downstream->peer.get();
    if (const net::TlsInfo* tls = info.downstream->tls) {
      key.tls = tls->peer_certificate_presented;
      key.peer_principal = tls->peer_principal();
      if (!tls->local_uri_sans.empty()) key.local_principal = tls->local_uri_sans.front();
    }
  }
  const bool has_service = info.cluster && !info.cluster->istio_service_host.empty();
  if (!has_service && host_header_fallback_ && request != nullptr)
    key.host_header = request->authority();
  return key;
}

void IstioStats::add_service_labels(stats::Labels& labels, const StreamInfo& info, const Key& key,
                                    const PeerMetadata& destination) const {
  std::string host(key.host_header), name(key.host_header), name_space;
  if (info.cluster && is_catch_all(info.cluster->name)) {
    name = info.cluster->name;
  } else if (info.cluster && !info.cluster->istio_service_host.empty()) {
    host = info.cluster->istio_service_host;
    name = info.cluster->istio_service_name;
    name_space = info.cluster->istio_service_namespace;
  }
  if (name_space.empty()) name_space = destination.namespace_;
  labels.emplace_back("destination_service", known(host));
  labels.emplace_back("destination_service_name", known(name));
  labels.emplace_back("destination_service_namespace", known(name_space));
}

stats::Labels IstioStats::make_labels(const StreamInfo& info, const Key& key) const {
  PeerMetadata remote;
  if (key.peer != nullptr) {
    remote = *key.peer;
  } else if (key.host != nullptr) {
    remote = peer_metadata_from_workload(key.host->istio_workload);
  }
  const bool at_source = reporter_ == Reporter::Source;
  const PeerMetadata& destination = at_source ? remote : local_;
  stats::Labels labels;
  labels.emplace_back("reporter", at_source ? "source" : "destination");
  add_workload_labels(labels, "source", at_source ? local_ : remote,
                      at_source ? key.local_principal : key.peer_principal);
  add_workload_labels(labels, "destination", destination,
                      at_source ? key.peer_principal : key.local_principal);
  add_service_labels(labels, info, key, destination);
  labels.emplace_back("request_protocol", key.tcp ? "tcp" : key.is_grpc ? "grpc" : "http");
  if (!key.tcp) {
    labels.emplace_back("response_code", std::to_string(key.response_code));
    labels.emplace_back("grpc_response_status",
                        key.grpc_status >= 0 ? std::to_string(key.grpc_status) : "");
  }
  labels.emplace_back("response_flags", info.flags.to_string());
  // A client cannot vouch for what the server made of its certificate.
  labels.emplace_back("connection_security_policy", at_source ? "unknown"
                                                    : key.tls ? "mutual_tls"
                                                              : "none");
  return labels;
}

stats::MetricKey IstioStats::metric_key(Metric metric, const stats::Labels& labels) const {
  stats::MetricKey key;
  key.family = fmt::format("istio_{}", kNames[metric]);
  const Override& override = overrides_[metric];
  for (const auto& label : labels) {
    const bool removed = std::ranges::find(override.remove, label.first) != override.remove.end();
    if (!removed) key.labels.push_back(label);
  }
  for (const auto& [name, value] : override.constants) {
    const auto found = std::ranges::find(key.labels, name, &stats::Labels::value_type::first);
    if (found == key.labels.end()) {
      key.labels.emplace_back(name, value);
    } else {
      found->second = value;
    }
  }
  return key;
}

IstioStats::Ids IstioStats::resolve(const StreamInfo& info, const Key& key) const {
  stats::Labels labels = make_labels(info, key);
  if (tuples_.fetch_add(1, std::memory_order_relaxed) >= kMaxTuples) {
    for (auto& label : labels) label.second = "overflow";
  }
  const auto counter = [&](Metric metric) {
    return overrides_[metric].drop ? stats::CounterId()
                                   : registry_.counter(metric_key(metric, labels));
  };
  const auto histogram = [&](Metric metric) {
    return overrides_[metric].drop ? stats::HistogramId()
                                   : registry_.histogram(metric_key(metric, labels));
  };
  Ids ids;
  if (key.tcp) {
    ids.tcp_sent = counter(kTcpSent);
    ids.tcp_received = counter(kTcpReceived);
    ids.tcp_opened = counter(kTcpOpened);
    ids.tcp_closed = counter(kTcpClosed);
    return ids;
  }
  ids.requests = counter(kRequests);
  ids.duration = histogram(kDuration);
  ids.request_bytes = histogram(kRequestBytes);
  ids.response_bytes = histogram(kResponseBytes);
  return ids;
}

const IstioStats::Ids& IstioStats::find(const StreamInfo& info,
                                        const http::HeaderMap* request) const {
  thread_local std::unordered_map<uint64_t, Cached> cache;
  const Key key = make_key(info, request);
  const uint64_t hash = key.hash();
  const auto found = cache.find(hash);
  if (found != cache.end() && found->second.key == key) return found->second.ids;
  if (cache.size() >= kMaxCachedPerWorker) cache.clear();

  Cached cached;
  cached.key = key;
  cached.ids = resolve(info, key);
  cached.peer = reporter_ == Reporter::Source ? info.upstream.peer
                : info.downstream_peer        ? info.downstream_peer
                : info.downstream != nullptr  ? info.downstream->peer
                                              : nullptr;
  cached.host = info.upstream.host;
  cached.cluster = info.cluster;
  cached.texts = std::make_unique<std::array<std::string, 3>>(
      std::array<std::string, 3>{std::string(key.peer_principal), std::string(key.local_principal),
                                 std::string(key.host_header)});
  cached.key.peer_principal = (*cached.texts)[0];
  cached.key.local_principal = (*cached.texts)[1];
  cached.key.host_header = (*cached.texts)[2];
  return cache.insert_or_assign(hash, std::move(cached)).first->second.ids;
}

void IstioStats::record_request(const StreamInfo& info, const http::HeaderMap* request,
                                stats::Shard& shard) const {
  const Ids& ids = find(info, request);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(info.end - info.start);
  shard.inc(ids.requests);
  shard.record(ids.duration, static_cast<uint64_t>(std::max<int64_t>(0, took.count())));
  shard.record(ids.request_bytes, info.bytes_received);
  shard.record(ids.response_bytes, info.bytes_sent);
}

void IstioStats::record_tcp(const StreamInfo& info, const TcpProgress& progress,
                            stats::Shard& shard) const {
  const Ids& ids = find(info, nullptr);
  if (progress.opened) shard.inc(ids.tcp_opened);
  if (progress.received_bytes > 0) shard.inc(ids.tcp_received, progress.received_bytes);
  if (progress.sent_bytes > 0) shard.inc(ids.tcp_sent, progress.sent_bytes);
  if (progress.closed) shard.inc(ids.tcp_closed);
}

}  // namespace sennit::proxy

// For tests: sidecars of one event loop, each with listeners, clusters of one host, secrets and
// metrics of its own, and an application that echoes.
#pragma once

#include <google/protobuf/text_format.h>
#include <sys/epoll.h>

#include <list>
#include <map>

#include "net/test_connections.h"
#include "proxy/listener/listener.h"
#include "proxy/upstream/host.h"
#include "tls/test_certificates.h"

namespace sennit::proxy {

class OneHostCluster final : public WorkerCluster {
 public:
  OneHostCluster(net::EventLoop& loop, std::shared_ptr<ClusterInfo> info,
                 const net::Address& address, std::shared_ptr<const TransportSocketFactory> factory)
      : loop_(loop), info_(std::move(info)), factory_(std::move(factory)) {
    auto host = std::make_shared<Host>();
    host->address = address;
    host_ = std::move(host);
  }
  const std::shared_ptr<const ClusterInfo>& info() const override { return info_; }
  HostPtr pick(const PickContext&) override { return host_; }
  std::unique_ptr<PendingStream> new_stream(const HostPtr&, http::Protocol,
                                            std::span<const std::string>, http::ResponseDecoder&,
                                            StreamRequestCallbacks&) override {
    return nullptr;
  }
  void report(const HostPtr&, HostResult, int, std::chrono::milliseconds) override {}
  std::unique_ptr<net::Connection> connect(const HostPtr& host,
                                           std::span<const std::string>) override {
    ++opened;
    return net::Connection::connect(loop_, host->address, {}, factory_->create({}));
  }
  void on_tcp_connection_closed(const HostPtr&) override { ++closed; }
  bool try_acquire_retry() override { return false; }
  void release_retry() override {}

  int opened = 0, closed = 0;

 private:
  net::EventLoop& loop_;
  std::shared_ptr<const ClusterInfo> info_;
  std::shared_ptr<const TransportSocketFactory> factory_;
  HostPtr host_;
};

class Sidecar final : public WorkerClusters, public RouteProvider {
 public:
  Sidecar(net::EventLoop& loop, const std::string& workload) : loop_(loop) {
    node.id = "sidecar~127.0.0.1~" + workload + ".default~default.svc.cluster.local";
    node.workload_name = workload;
    node.namespace_ = "default";
  }

  // A listener from its text form; its port is the kernel's choice.
  net::Address listen(const std::string& text) {
    envoy::config::listener::v3::Listener listener;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &listener)) << text;
    listener.set_name("listener");
    listener.mutable_address()->mutable_socket_address()->set_address("127.0.0.1");
    listener.mutable_address()->mutable_socket_address()->set_port_value(0);
    ListenerBuildContext context{registry, node, secrets};
    auto config = ListenerConfig::create(listener, context);
    if (!config) {
      ADD_FAILURE() << config.error().message;
      return {};
    }
    auto socket = open_listen_socket(**config);
    EXPECT_TRUE(socket);
    const auto address = net::bound_address(socket->get());
    listeners->apply(*config, std::move(*socket));
    return address;
  }
  OneHostCluster& add_cluster(const std::string& name, const net::Address& address,
                              const envoy::config::core::v3::TransportSocket& transport = {},
                              const std::string& exchange_alpn = "") {
    auto info = std::make_shared<ClusterInfo>();
    info->name = name;
    info->metadata_exchange_alpn = exchange_alpn;
    auto factory = make_upstream_transport(transport, secrets);
    EXPECT_TRUE(factory) << factory.error().message;
    auto cluster = std::make_unique<OneHostCluster>(loop_, info, address, *factory);
    return *(clusters_[name] = std::move(cluster));
  }

  WorkerCluster* find(std::string_view name) override {
    const auto found = clusters_.find(name);
    return found == clusters_.end() ? nullptr : found->second.get();
  }
  net::EventLoop& loop() override { return loop_; }
  stats::Shard& stats() override { return shard; }
  std::shared_ptr<const RouteTable> routes(const std::string&) override { return nullptr; }

  // The line of a metric with its labels, or "".
  std::string metric(const std::string& family) const {
    const std::string text = registry.prometheus("", false);
    const size_t at = text.find("\n" + family + "{");
    return at == text.npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  }
  uint64_t counter(std::string_view suffix) const {
    uint64_t sum = 0;
    for (const auto& sample : registry.collect()) {
      if (sample.key->name.ends_with(suffix)) sum += sample.value;
    }
    return sum;
  }

  LocalNode node;
  stats::Registry registry;
  stats::Shard& shard = registry.new_shard();
  SecretManager secrets;

 private:
  net::EventLoop& loop_;
  std::map<std::string, std::unique_ptr<OneHostCluster>, std::less<>> clusters_;

 public:
  WorkerContext worker{loop_, *this, *this, shard};
  std::unique_ptr<WorkerListeners> listeners =
      make_worker_listeners(worker, std::chrono::seconds(1));
};

// Sends back what it is sent, and ends when its client does.
class EchoApplication final : private net::IoHandler {
 public:
  explicit EchoApplication(net::EventLoop& loop) : loop_(loop) {
    auto listening = net::listen_on(*net::Address::ip("127.0.0.1", 0), {});
    EXPECT_TRUE(listening);
    socket_ = std::move(*listening);
    loop_.add(socket_.get(), EPOLLIN, this);
  }
  ~EchoApplication() { loop_.remove(socket_.get()); }
  net::Address address() const { return net::bound_address(socket_.get()); }

  std::string greeting;  // said first
  std::string heard;

 private:
  struct Client final : net::ConnectionCallbacks {
    explicit Client(EchoApplication& owner) : owner(owner) {}
    void on_data(net::Buffer& input, bool end_stream) override {
      owner.heard += input.view();
      connection->write(input.view());
      input.clear();
      if (end_stream) connection->shutdown_write();
    }
    void on_event(net::ConnectionEvent) override {}
    EchoApplication& owner;
    std::unique_ptr<net::Connection> connection;
  };

  void on_io(uint32_t) override {
    UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) return;
    auto& client = clients_.emplace_back(*this);
    client.connection =
        net::Connection::accepted(loop_, std::move(fd), {}, {}, net::make_raw_transport_socket());
    client.connection->set_callbacks(&client);
    client.connection->enable_half_close(true);
    client.connection->start();
    if (!greeting.empty()) client.connection->write(greeting);
  }

  net::EventLoop& loop_;
  UniqueFd socket_;
  std::list<Client> clients_;
};

}  // namespace sennit::proxy

// For tests: an HTTP connection manager, real clusters and real connection pools on one event loop,
// between clients on socket pairs and upstreams that listen on loopback.
#pragma once

#include <envoy/config/cluster/v3/cluster.pb.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include <cstring>

#include "http/test_loopback.h"
#include "proxy/config/local_node.h"
#include "proxy/config/yaml.h"
#include "proxy/stream/http_connection_manager.h"
#include "proxy/upstream/cluster_manager_main.h"

namespace sennit::proxy {

// A server on an ephemeral port of 127.0.0.1. `answer` is called when a request is complete (or at
// its head, with `answer_at_head`).
class Upstream final : private net::IoHandler {
 public:
  Upstream(net::EventLoop& loop, http::Protocol protocol) : loop_(loop), protocol_(protocol) {
    listener_ = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_.get(), 64), 0);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    loop_.add(listener_.get(), EPOLLIN, this);
  }
  ~Upstream() { loop_.remove(listener_.get()); }

  uint16_t port() const { return port_; }
  size_t connections() const { return owners_.size(); }
  http::CodecOwner& connection(size_t index) { return *owners_.at(index); }
  // All requests so far, in order of their connections.
  std::vector<http::Message*> requests() {
    std::vector<http::Message*> all;
    for (auto& owner : owners_) {
      for (auto& request : owner->requests) all.push_back(request.get());
    }
    return all;
  }

  std::function<void(http::Message&)> answer = [](http::Message& request) {
    request.response->encode_headers(http::response_head("200"), true);
  };
  bool answer_at_head = false;

 private:
  void on_io(uint32_t) override {
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    auto owner = std::make_unique<http::CodecOwner>();
    owner->connection =
        net::Connection::accepted(loop_, UniqueFd(fd), {}, {}, net::make_raw_transport_socket());
    http::CodecOptions options;
    options.allow_connect = true;
    owner->codec = protocol_ == http::Protocol::Http2
                       ? http::make_http2_server(*owner->connection, options, *owner)
                       : http::make_http1_server(*owner->connection, options, *owner);
    owner->on_request = [this](http::Message& request) {
      request.on_head = [this, r = &request] {
        if (r->ended || answer_at_head) answer(*r);
      };
      request.on_end = [this, r = &request] {
        if (!answer_at_head) answer(*r);
      };
    };
    owner->connection->set_callbacks(owner.get());
    owner->connection->start();
    owners_.push_back(std::move(owner));
  }

  net::EventLoop& loop_;
  const http::Protocol protocol_;
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<http::CodecOwner>> owners_;
};

class ProxyTest : public ::testing::Test, private RouteProvider {
 protected:
  ProxyTest()
      : shard_(registry_.new_shard()),
        clusters_({loop_, registry_, shard_, secrets_}),
        worker_{loop_, clusters_.add_worker(loop_, shard_), *this, shard_} {}
  ~ProxyTest() override {
    for (auto& served : served_) {
      if (served) served->close();
    }
    for (int i = 0; i < 3; ++i) loop_.run_once(net::Milliseconds(0));
  }

  // A cluster NAME with one endpoint; `extra` is YAML of further fields.
  void add_cluster(const std::string& name, uint16_t port, std::string_view extra = {}) {
    add_cluster_with(name,
                     fmt::format(R"(
  - lb_endpoints:
    - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}})",
                                 port),
                     extra);
  }
  void add_cluster_with(const std::string& name, std::string_view endpoints,
                        std::string_view extra) {
    envoy::config::cluster::v3::Cluster cluster;
    const std::string yaml = fmt::format(
        "name: {0}\ntype: STATIC\nconnect_timeout: 5s\nload_assignment:\n  cluster_name: {0}\n"
        "  endpoints: {1}\n{2}\n",
        name, endpoints, extra);
    auto parsed = parse_yaml_into(yaml, name, cluster);
    ASSERT_TRUE(parsed) << parsed.error().message;
    auto applied = clusters_.apply(cluster, "1");
    ASSERT_TRUE(applied) << applied.error().message;
    loop_.run_once(net::Milliseconds(0));
  }
  static constexpr std::string_view kHttp2Cluster = R"(
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http2_protocol_options: {}}
)";

  // The connection manager with these routes (YAML flow or block, of one virtual host for every
  // host) and these further fields.
  void configure(std::string_view routes, std::string_view extra = {}) {
    hcm_ = make_hcm(fmt::format(R"(
stat_prefix: test
route_config:
  name: local
  virtual_hosts:
  - name: all
    domains: ["*"]
    include_request_attempt_count: true
    routes: {}
http_filters:
- name: envoy.filters.http.router
  typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
{})",
                                routes, extra));
  }
  std::shared_ptr<const HcmConfig> make_hcm(const std::string& yaml) {
    envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager config;
    auto parsed = parse_yaml_into(yaml, "hcm", config);
    EXPECT_TRUE(parsed) << parsed.error().message;
    auto made = HcmConfig::create(config, {registry_, node_});
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : nullptr;
  }

  // A client whose other end is served. Without use_http1/2 it is raw: see `received`.
  struct Client : http::CodecOwner {
    http::ClientCodec* client = nullptr;
    size_t served = 0;
    void write(std::string_view bytes) { connection->write(bytes); }
  };
  std::unique_ptr<Client> connect() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    auto client = std::make_unique<Client>();
    client->connection = net::Connection::accepted(loop_, UniqueFd(fds[0]), {}, {},
                                                   net::make_raw_transport_socket());
    client->connection->set_callbacks(client.get());
    client->connection->start();
    auto downstream = std::make_shared<DownstreamInfo>();
    downstream->remote_address = downstream->direct_remote_address =
        *net::Address::ip("10.9.8.7", 4444);
    downstream->local_address = downstream->direct_local_address =
        *net::Address::ip("10.0.0.1", 80);
    auto connection =
        net::Connection::accepted(loop_, UniqueFd(fds[1]), downstream->local_address,
                                  downstream->remote_address, net::make_raw_transport_socket());
    connection->set_write_watermark(64 * 1024);
    const size_t index = served_.size();
    client->served = index;
    served_.emplace_back();
    served_[index] = serve_http(hcm_, std::move(connection), downstream, worker_,
                                [this, index] { loop_.defer_delete(std::move(served_[index])); });
    return client;
  }
  void use_http2(Client& client) {
    auto codec = http::make_http2_client(*client.connection, {}, client);
    client.client = codec.get();
    client.codec = std::move(codec);
  }

  bool until(const std::function<bool()>& done) {
    for (int turn = 0; turn < 4000; ++turn) {
      if (done()) return true;
      loop_.run_once(net::Milliseconds(5));
    }
    return done();
  }
  // Sends a request as it stands and waits until `part` has come.
  std::string exchange(Client& client, std::string_view request, std::string_view part) {
    client.write(request);
    until([&] { return client.received.find(part) != std::string::npos || client.gone; });
    return client.received;
  }
  // The answer to a GET on a connection of its own that closes after it.
  std::string get(std::string_view path, std::string_view fields = {}) {
    auto client = connect();
    client->write(fmt::format("GET {} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n{}\r\n",
                              path, fields));
    EXPECT_TRUE(until([&] { return client->gone; })) << client->received;
    return client->received;
  }
  uint64_t counter(std::string_view name) const { return registry_.counter_value(name); }
  ServedConnection& served(const Client& client) { return *served_[client.served]; }
  bool all_served_gone() const {
    return std::ranges::all_of(served_, [](const auto& served) { return served == nullptr; });
  }

  net::EventLoop loop_;
  stats::Registry registry_;
  stats::Shard& shard_;
  SecretManager secrets_;
  LocalNode node_;
  ClusterManager clusters_;
  WorkerContext worker_;
  std::shared_ptr<const HcmConfig> hcm_;

 private:
  std::shared_ptr<const RouteTable> routes(const std::string&) override { return nullptr; }
  std::vector<std::unique_ptr<ServedConnection>> served_;
};

}  // namespace sennit::proxy

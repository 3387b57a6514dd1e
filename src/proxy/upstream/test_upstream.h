// For tests: a ClusterManager with one worker on the test's own loop, servers on loopback with the
// real codecs, and requests that write down what becomes of them.
#pragma once

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/test_loopback.h"
#include "net/listen.h"
#include "proxy/config/yaml.h"
#include "proxy/upstream/cluster_manager_main.h"

namespace sennit::proxy {

// Accepts on a port of 127.0.0.1 that the kernel chooses. `protocol` absent: bytes are written down
// and nothing is answered.
class TestServer final : net::IoHandler {
 public:
  TestServer(net::EventLoop& loop, std::optional<http::Protocol> protocol)
      : loop_(loop), protocol_(protocol) {
    socket_ = std::move(*net::listen_on(*net::Address::ip("127.0.0.1", 0), {}));
    address = net::bound_address(socket_.get());
    loop_.add(socket_.get(), EPOLLIN, this);
  }
  ~TestServer() { stop_listening(); }
  void stop_listening() {
    if (socket_.get() < 0) return;
    loop_.remove(socket_.get());
    socket_.reset();
  }
  size_t open() const {
    return static_cast<size_t>(
        std::count_if(connections.begin(), connections.end(), [](auto& c) { return !c->gone; }));
  }

  net::Address address;
  http::CodecOptions options;
  std::vector<std::unique_ptr<http::CodecOwner>> connections;
  std::vector<http::Message*> requests;  // over all connections, as their heads came
  // Called at each request's head; answers 200 unless replaced.
  std::function<void(http::Message&)> on_request = [](http::Message& request) { answer(request); };
  static void answer(
      http::Message& request, std::string_view status = "200",
      std::initializer_list<std::pair<std::string_view, std::string_view>> fields = {}) {
    http::HeaderMap head = http::response_head(status);
    for (const auto& [name, value] : fields) head.add(name, value);
    request.response->encode_headers(head, true);
  }

 private:
  void on_io(uint32_t) override {
    const int fd = accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    http::CodecOwner& owner = *connections.emplace_back(std::make_unique<http::CodecOwner>());
    owner.connection =
        net::Connection::accepted(loop_, UniqueFd(fd), {}, {}, net::make_raw_transport_socket());
    owner.connection->set_callbacks(&owner);
    if (protocol_) {
      owner.codec = *protocol_ == http::Protocol::Http2
                        ? http::make_http2_server(*owner.connection, options, owner)
                        : http::make_http1_server(*owner.connection, options, owner);
    }
    owner.on_request = [this](http::Message& request) {
      request.on_head = [this, &request] {
        requests.push_back(&request);
        if (on_request) on_request(request);
      };
    };
    owner.connection->start();
  }
  net::EventLoop& loop_;
  std::optional<http::Protocol> protocol_;
  UniqueFd socket_;
};

// A GET without a body.
struct TestRequest final : StreamRequestCallbacks {
  void on_pool_ready(http::RequestEncoder& to, http::Protocol over,
                     const net::Connection& connection, bool was_reused) override {
    ready = true;
    reused = was_reused;
    protocol = over;
    connection_id = connection.id();
    encoder = &to;
    to.set_callbacks(&response);
    to.encode_headers(http::request_head("GET", "/"), true);
  }
  void on_pool_failure(PoolFailure reason, std::string_view why) override {
    failure = reason;
    detail = why;
  }
  bool over() const { return failure || response.ended || response.reset; }

  http::Message response;
  std::unique_ptr<PendingStream> pending;
  http::RequestEncoder* encoder = nullptr;
  bool ready = false, reused = false;
  std::optional<http::Protocol> protocol;
  uint64_t connection_id = 0;
  std::optional<PoolFailure> failure;
  std::string detail;
};

class UpstreamTest : public ::testing::Test {
 protected:
  static std::string endpoint(const net::Address& address, const std::string& extra = "") {
    return fmt::format(
        "{{endpoint: {{address: {{socket_address: {{address: {}, port_value: {}}}}}}}{}}}",
        address.ip_string(), address.port(), extra);
  }
  // A STATIC cluster "c"; `extra` is more YAML at the top level.
  static std::string static_cluster(const net::Address& address, const std::string& extra = "") {
    return fmt::format(
        "name: c\ntype: STATIC\nload_assignment: {{cluster_name: c, endpoints: "
        "[{{lb_endpoints: [{}]}}]}}\n{}",
        endpoint(address), extra);
  }
  static constexpr const char* kHttp2 = "http2_protocol_options: {}\n";

  template <typename Message>
  static Message parse(const std::string& yaml) {
    Message message;
    auto status = parse_yaml_into(yaml, "test", message);
    EXPECT_TRUE(status) << status.error().message;
    return message;
  }
  Status try_apply(const std::string& yaml,
                   ClusterManager::Origin origin = ClusterManager::Origin::Dynamic) {
    return manager_.apply(parse<envoy::config::cluster::v3::Cluster>(yaml), "1", origin);
  }
  void apply(const std::string& yaml) {
    auto status = try_apply(yaml);
    ASSERT_TRUE(status) << status.error().message;
    turn();
  }
  Status apply_eds(const std::string& yaml) {
    auto status = manager_.apply_endpoints(
        parse<envoy::config::endpoint::v3::ClusterLoadAssignment>(yaml), "1");
    turn();
    return status;
  }
  // What `apply` says of a cluster that must not be accepted.
  std::string refusal(const std::string& yaml) {
    auto status = try_apply(yaml);
    return status ? "accepted" : status.error().message;
  }
  void turn() {
    for (int i = 0; i < 3; ++i) loop_.run_once(net::Milliseconds(0));
  }
  bool until(const std::function<bool()>& done) {
    for (int i = 0; i < 2000 && !done(); ++i) loop_.run_once(net::Milliseconds(5));
    return done();
  }
  WorkerCluster& cluster(const std::string& name = "c") {
    WorkerCluster* found = worker_.find(name);
    EXPECT_NE(found, nullptr) << name;
    return *found;
  }
  HostPtr pick(const std::string& name = "c") { return cluster(name).pick({}); }
  std::unique_ptr<TestRequest> send(const HostPtr& host, const StreamOptions& options = {}) {
    auto request = std::make_unique<TestRequest>();
    request->pending = cluster().new_stream_with(host, options, request->response, *request);
    return request;
  }
  std::unique_ptr<TestRequest> send() { return send(pick()); }
  bool finish(TestRequest& request) {
    return until([&] { return request.over(); });
  }
  int64_t stat(const std::string& suffix, const std::string& name = "c") const {
    const std::string full = "cluster." + name + "." + suffix;
    for (const auto& sample : registry_.collect()) {
      if (sample.key->name == full) return static_cast<int64_t>(sample.value);
    }
    ADD_FAILURE() << "no metric " << full;
    return -1;
  }

  net::EventLoop loop_;
  stats::Registry registry_;
  SecretManager secrets_;
  ClusterManager manager_{{loop_, registry_, registry_.new_shard(), secrets_}};
  WorkerClusters& worker_ = manager_.add_worker(loop_, registry_.new_shard());
};

}  // namespace sennit::proxy

#include "mesh/push/xds_server.h"

#include <envoy/service/discovery/v3/ads.grpc.pb.h>

#include <algorithm>

#include "base/log.h"
#include "mesh/push/push_queue.h"
#include "pki/x509.h"

namespace sennit::mesh {
namespace {

using Ads = envoy::service::discovery::v3::AggregatedDiscoveryService;

// Bound on responses waiting in one stream's send queue. A push makes a handful; more means that
// the proxy has stopped reading.
constexpr size_t kMaxQueuedResponses = 1024;

std::unique_ptr<xds::Resources> translated(const Mesh& mesh, const Proxy& proxy) {
  return std::make_unique<TranslatedResources>(mesh, proxy);
}

}  // namespace

struct XdsServer::Impl {
  Impl(XdsServer& server, std::shared_ptr<const Mesh> mesh)
      : server(server),
        mesh(std::move(mesh)),
        queue(server.options_.push_threads,
              [this](Session& session, const ChangeSummary& change) {
                session.push(current(), change);
              }),
        plain(*this, false),
        secure(*this, true) {}

  // One gRPC stream: reads requests, writes what its session sends, one write in flight.
  template <typename Request, typename Response>
  class Stream final : public grpc::ServerBidiReactor<Request, Response> {
   public:
    Stream(Impl& impl, grpc::CallbackServerContext* context, bool secure)
        : impl_(impl), context_(context), secure_(secure) {
      session_ = impl.open(
          [this](Session::Response response) { enqueue(std::get<Response>(std::move(response))); },
          [this] { finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down")); });
      this->StartRead(&request_);
    }

    void OnReadDone(bool ok) override {
      if (!ok) return finish(grpc::Status::OK);
      const bool known = session_->proxy() != nullptr;
      Status status = session_->on_request(request_);
      if (status && !known) status = admit();
      if (!status) {
        log::warn("xds", "refused a stream of {}: {}", context_->peer(), status.error().message);
        return finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, status.error().message));
      }
      this->StartRead(&request_);
    }

    void OnWriteDone(bool ok) override {
      std::lock_guard lock(mutex_);
      writing_ = false;
      if (ok) queue_.pop_front();
      if (!ok || finished_) return;
      write_next();
    }

    void OnCancel() override { finish(grpc::Status::CANCELLED); }

    void OnDone() override {
      session_->close();
      impl_.remove(session_, admitted_);
      delete this;
    }

   private:
    // The first request told who this is: does it agree with what the connection proved?
    Status admit() {
      auto proxy = session_->proxy();
      if (secure_) {
        auto proved = impl_.peer(*context_);
        if (!proved) return std::unexpected(proved.error());
        if (proved->namespace_ != proxy->namespace_ ||
            (!proxy->service_account.empty() && proved->service_account != proxy->service_account))
          return fail("the certificate proves {}, but the node claims namespace {} and account {}",
                      proved->spiffe_id(), proxy->namespace_, proxy->service_account);
      }
      log::info("xds", "{} connected from {}", proxy->id, context_->peer());
      admitted_ = true;
      impl_.server.observer_.on_connected(proxy);
      return {};
    }

    void enqueue(Response response) {
      std::lock_guard lock(mutex_);
      if (finished_) return;
      if (queue_.size() >= kMaxQueuedResponses)
        return finish_locked(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                          "the proxy does not read its responses"));
      queue_.push_back(std::move(response));
      if (!writing_) write_next();
    }

    void write_next() {
      if (queue_.empty()) return;
      writing_ = true;
      this->StartWrite(&queue_.front());
    }

    void finish(const grpc::Status& status) {
      std::lock_guard lock(mutex_);
      finish_locked(status);
    }
    void finish_locked(const grpc::Status& status) {
      if (finished_) return;
      finished_ = true;
      this->Finish(status);
    }

    Impl& impl_;
    grpc::CallbackServerContext* context_;
    const bool secure_;
    bool admitted_ = false;
    std::shared_ptr<Session> session_;
    Request request_;
    std::mutex mutex_;  // the write side
    std::deque<Response> queue_;
    bool writing_ = false, finished_ = false;
  };

  class Service final : public Ads::CallbackService {
   public:
    Service(Impl& impl, bool secure) : impl_(impl), secure_(secure) {}
    grpc::ServerBidiReactor<DiscoveryRequest, DiscoveryResponse>* StreamAggregatedResources(
        grpc::CallbackServerContext* context) override {
      return new Stream<DiscoveryRequest, DiscoveryResponse>(impl_, context, secure_);
    }
    grpc::ServerBidiReactor<DeltaDiscoveryRequest, DeltaDiscoveryResponse>*
    DeltaAggregatedResources(grpc::CallbackServerContext* context) override {
      return new Stream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(impl_, context, secure_);
    }

   private:
    Impl& impl_;
    const bool secure_;
  };

  std::shared_ptr<const Mesh> current() const {
    std::lock_guard lock(mutex);
    return mesh;
  }

  // Under the lock, so that no snapshot comes between reading the mesh and being pushed to.
  std::shared_ptr<Session> open(Session::Send send, std::function<void()> end) {
    std::lock_guard lock(mutex);
    auto session = std::make_shared<Session>(std::move(send), server.options_.make_resources, mesh,
                                             server.counters_);
    streams[session] = std::move(end);
    return session;
  }

  void remove(const std::shared_ptr<Session>& session, bool admitted) {
    {
      std::lock_guard lock(mutex);
      streams.erase(session);
    }
    if (!admitted) return;
    log::info("xds", "{} disconnected", session->proxy()->id);
    server.observer_.on_disconnected(session->proxy());
  }

  Result<pki::WorkloadIdentity> peer(const grpc::ServerContextBase& context) const {
    for (const grpc::string_ref& uri :
         context.auth_context()->FindPropertyValues("peer_spiffe_id")) {
      auto identity = pki::WorkloadIdentity::parse({uri.data(), uri.size()});
      if (identity && !server.options_.trust_domain.empty() &&
          identity->trust_domain != server.options_.trust_domain)
        return fail("{} is of another trust domain", identity->spiffe_id());
      return identity;
    }
    return fail("this port takes proxies that show a certificate of the mesh");
  }

  XdsServer& server;
  mutable std::mutex mutex;  // mesh, streams
  std::shared_ptr<const Mesh> mesh;
  std::map<std::shared_ptr<Session>, std::function<void()>> streams;
  PushQueue queue;
  Service plain, secure;
};

XdsServer::XdsServer(Options options, std::shared_ptr<const Mesh> mesh,
                     ConnectionObserver& observer)
    : options_(std::move(options)), observer_(observer) {
  if (!options_.make_resources) options_.make_resources = translated;
  impl_ = std::make_unique<Impl>(*this, std::move(mesh));
}

XdsServer::~XdsServer() {
  impl_->queue.stop();
}

grpc::Service& XdsServer::service(bool secure) {
  return secure ? impl_->secure : impl_->plain;
}

void XdsServer::set_mesh(std::shared_ptr<const Mesh> mesh, const ChangeSummary& change) {
  std::vector<std::shared_ptr<Session>> sessions;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->mesh = std::move(mesh);
    for (const auto& [session, end] : impl_->streams) sessions.push_back(session);
  }
  for (const auto& session : sessions) impl_->queue.add(session, change);
}

std::vector<Session::Snapshot> XdsServer::sessions() const {
  std::vector<std::shared_ptr<Session>> sessions;
  {
    std::lock_guard lock(impl_->mutex);
    for (const auto& [session, end] : impl_->streams) sessions.push_back(session);
  }
  std::vector<Session::Snapshot> result;
  for (const auto& session : sessions)
    if (session->proxy()) result.push_back(session->status());
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.proxy->id < b.proxy->id; });
  return result;
}

bool XdsServer::idle() const {
  return impl_->queue.idle();
}

void XdsServer::shutdown() {
  impl_->queue.stop();
  std::lock_guard lock(impl_->mutex);
  for (const auto& [session, end] : impl_->streams) end();
}

}  // namespace sennit::mesh

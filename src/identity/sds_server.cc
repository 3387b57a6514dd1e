#include "identity/sds_server.h"

#include <envoy/extensions/transport_sockets/tls/v3/secret.pb.h>
#include <envoy/service/secret/v3/sds.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <sys/stat.h>

#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "base/log.h"
#include "identity/file_secrets.h"
#include "xds/watch.h"

namespace sennit::identity {
namespace {

using envoy::extensions::transport_sockets::tls::v3::Secret;
using xds::DeltaDiscoveryRequest;
using xds::DeltaDiscoveryResponse;
using xds::DiscoveryRequest;
using xds::DiscoveryResponse;

xds::Resource to_resource(const Secret& secret) {
  auto bytes = std::make_shared<const std::string>(secret.SerializeAsString());
  return {secret.name(), bytes, xds::content_hash(*bytes)};
}

class Secrets final : public xds::Resources {
 public:
  std::map<std::string, xds::Resource, std::less<>> by_name;

  std::vector<xds::Resource> all(std::string_view) const override { return {}; }
  xds::Resource one(std::string_view, std::string_view name) const override {
    auto found = by_name.find(name);
    if (found != by_name.end()) return found->second;
    if (auto secret = file_secret(name)) return to_resource(*secret);
    return {.name = std::string(name), .bytes = nullptr, .hash = 0};
  }
};

// A stream's write side, whatever its message type.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  virtual void on_secrets(const Secrets& secrets) = 0;
};

}  // namespace

struct SdsServer::Impl final
    : public envoy::service::secret::v3::SecretDiscoveryService::CallbackService {
  template <typename Request, typename Response>
  class Stream final : public grpc::ServerBidiReactor<Request, Response>, public Subscriber {
   public:
    explicit Stream(Impl& impl) : impl_(impl) {
      std::lock_guard lock(impl_.mutex);
      impl_.subscribers.insert(this);
      this->StartRead(&request_);
    }

    void OnReadDone(bool ok) override {
      std::lock_guard lock(impl_.mutex);
      if (!ok) return finish();
      const uint64_t before = watch_.rejections();
      const bool must_answer = watch_.on_request(request_);
      if (watch_.rejections() != before)
        log::warn("identity", "the proxy rejected its secrets: {}", watch_.rejection());
      // Secrets that have not come yet are pushed when they do.
      if (must_answer) answer(impl_.secrets, true);
      this->StartRead(&request_);
    }

    void OnWriteDone(bool ok) override {
      std::lock_guard lock(impl_.mutex);
      writing_ = false;
      if (!queue_.empty()) queue_.pop_front();
      if (ok && !finished_) write_next();
    }

    void OnCancel() override {
      std::lock_guard lock(impl_.mutex);
      finish();
    }

    void OnDone() override {
      {
        std::lock_guard lock(impl_.mutex);
        impl_.subscribers.erase(this);
      }
      delete this;
    }

    void on_secrets(const Secrets& secrets) override { answer(secrets, false); }

   private:
    void answer(const Secrets& secrets, bool must_answer) {
      if (finished_) return;
      if constexpr (std::is_same_v<Response, DeltaDiscoveryResponse>) {
        // What is not there yet is not removed: the proxy goes on waiting.
        if (auto response = watch_.make_delta(secrets, {.keep_removed = true}))
          queue_.push_back(std::move(*response));
      } else {
        if (auto response = watch_.make_response(secrets, {.must_answer = must_answer}))
          queue_.push_back(std::move(*response));
      }
      write_next();
    }
    void write_next() {
      if (writing_ || queue_.empty()) return;
      writing_ = true;
      this->StartWrite(&queue_.front());
    }
    void finish() {
      if (finished_) return;
      finished_ = true;
      this->Finish(grpc::Status::OK);
    }

    Impl& impl_;
    Request request_;
    xds::Watch watch_{std::string(xds::kSecretType)};
    std::deque<Response> queue_;
    bool writing_ = false, finished_ = false;
  };

  grpc::ServerBidiReactor<DiscoveryRequest, DiscoveryResponse>* StreamSecrets(
      grpc::CallbackServerContext*) override {
    return new Stream<DiscoveryRequest, DiscoveryResponse>(*this);
  }
  grpc::ServerBidiReactor<DeltaDiscoveryRequest, DeltaDiscoveryResponse>* DeltaSecrets(
      grpc::CallbackServerContext*) override {
    return new Stream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(*this);
  }

  std::mutex mutex;  // secrets, subscribers and all of each stream's state
  Secrets secrets;
  std::set<Subscriber*> subscribers;
  std::filesystem::path socket;
  std::unique_ptr<grpc::Server> server;
};

SdsServer::SdsServer() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<SdsServer>> SdsServer::listen(const std::filesystem::path& socket) {
  std::unique_ptr<SdsServer> sds(new SdsServer());
  std::filesystem::remove(socket);
  grpc::ServerBuilder builder;
  int bound = 0;
  builder.AddListeningPort("unix:" + socket.string(), grpc::InsecureServerCredentials(), &bound);
  builder.RegisterService(sds->impl_.get());
  sds->impl_->server = builder.BuildAndStart();
  if (!sds->impl_->server) return fail("cannot serve secrets on {}", socket.string());
  ::chmod(socket.c_str(), 0600);
  sds->impl_->socket = socket;
  return sds;
}

SdsServer::~SdsServer() {
  if (!impl_->server) return;
  impl_->server->Shutdown(std::chrono::system_clock::now());
  impl_->server->Wait();
  std::error_code ignored;
  std::filesystem::remove(impl_->socket, ignored);
}

void SdsServer::update(const Credentials& credentials) {
  Secret certificate;
  certificate.set_name("default");
  certificate.mutable_tls_certificate()->mutable_certificate_chain()->set_inline_bytes(
      credentials.chain);
  certificate.mutable_tls_certificate()->mutable_private_key()->set_inline_bytes(credentials.key);
  Secret trust;
  trust.set_name("ROOTCA");
  trust.mutable_validation_context()->mutable_trusted_ca()->set_inline_bytes(
      credentials.trust_bundle);
  std::lock_guard lock(impl_->mutex);
  impl_->secrets.by_name[certificate.name()] = to_resource(certificate);
  impl_->secrets.by_name[trust.name()] = to_resource(trust);
  for (Subscriber* subscriber : impl_->subscribers) subscriber->on_secrets(impl_->secrets);
}

}  // namespace sennit::identity

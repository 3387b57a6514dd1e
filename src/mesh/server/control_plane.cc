#include "mesh/server/control_plane.h"

#include <grpcpp/grpcpp.h>

#include "base/log.h"
#include "mesh/analyze/analyze.h"
#include "mesh/api/mesh_config.h"
#include "mesh/ca/authority.h"
#include "mesh/ca/join_token.h"
#include "mesh/ca/service.h"
#include "mesh/push/xds_server.h"
#include "mesh/server/config_store.h"
#include "mesh/server/diagnostic_log.h"
#include "mesh/server/http_api.h"
#include "mesh/server/rebuilder.h"
#include "mesh/server/registrar.h"
#include "mesh/source/file_source.h"

namespace sennit::mesh {
namespace {

// How long streams may take to end when the control plane stops.
constexpr std::chrono::milliseconds kShutdownGrace{500};

std::string host_of(const std::string& address) {
  return address.substr(0, address.rfind(':'));
}

// A dead proxy's stream is noticed, and proxies behind NAT keep theirs: istiod's keepalive.
void set_keepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second control plane must fail
}

}  // namespace

struct ControlPlane::Impl {
  explicit Impl(ControlOptions options) : options(std::move(options)) {}

  ~Impl() {
    if (store) store->set_listener({});
    for (auto& source : sources) source->stop();
    http.reset();
    if (xds) xds->shutdown();
    for (auto& server : servers)
      server->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
    servers.clear();
    rebuilder.reset();
    registrar.reset();
  }

  Status start() {
    if (Status ok = read_mesh_config(); !ok) return ok;
    if (Status ok = open_authority(); !ok) return ok;
    store = std::make_unique<ConfigStore>(options.state / "applied");
    store->load_applied();
    for (size_t i = 0; i < options.config.size(); ++i) {
      if (!std::filesystem::is_directory(options.config[i]))
        return fail("--config {} is not a directory", options.config[i].string());
      sources.push_back(std::make_unique<FileSource>(
          std::vector<std::filesystem::path>{options.config[i]}, options.debounce));
      sources.back()->start([this, i](ChangeSet changes) { store->update(i, std::move(changes)); });
    }
    registrar =
        std::make_unique<Registrar>(*store, options.deregister_after, options.state / "registered");
    rebuilder = std::make_unique<Rebuilder>(
        *store, mesh_config, Rebuilder::Timing{options.debounce, options.debounce_max},
        [this](std::shared_ptr<const Mesh> mesh, const ChangeSummary& change) {
          on_mesh(std::move(mesh), change);
        });
    xds = std::make_unique<XdsServer>(
        XdsServer::Options{.make_resources = {}, .trust_domain = authority->trust_domain()},
        rebuilder->current(), *registrar);
    store->set_listener([this] { rebuilder->touch(); });
    rebuilder->touch();  // what changed meanwhile
    tell_diagnostics();
    return serve();
  }

  Status read_mesh_config() {
    LoadedMeshConfig loaded{default_mesh_config(), {}};
    if (!options.mesh_config.empty()) loaded = load_mesh_config(options.mesh_config);
    for (const Diagnostic& diagnostic : loaded.diagnostics) {
      if (diagnostic.level == Diagnostic::Level::Error) return fail("{}", diagnostic.to_string());
      log::warn("config", "{}", diagnostic.to_string());
    }
    if (!options.trust_domain.empty()) loaded.config.set_trust_domain(options.trust_domain);
    mesh_config = std::make_shared<const api::MeshConfig>(std::move(loaded.config));
    return {};
  }

  Status open_authority() {
    AuthorityOptions authority_options{.state = options.state,
                                       .trust_domain = mesh_config->trust_domain()};
    authority_options.default_lifetime = options.certificate_lifetime;
    auto opened = Authority::open(authority_options);
    if (!opened) return std::unexpected(opened.error());
    authority = std::move(*opened);
    auto token = load_or_create_join_token(options.state);
    if (!token) return std::unexpected(token.error());
    join_token = *token;
    certificates = std::make_unique<CertificateService>(*authority, join_token);
    return {};
  }

  void on_mesh(std::shared_ptr<const Mesh> mesh, const ChangeSummary& change) {
    xds->set_mesh(std::move(mesh), change);
    registrar->refresh();
    tell_diagnostics();
  }

  void tell_diagnostics() {
    std::vector<Diagnostic> all = store->diagnostics();
    for (Diagnostic& found : analysis()) all.push_back(std::move(found));
    diagnostic_log.update(all);
  }

  std::vector<Diagnostic> analysis() const {
    std::vector<Diagnostic> found = analyze(store->resources());
    auto mesh = rebuilder->current();
    found.insert(found.end(), mesh->diagnostics().begin(), mesh->diagnostics().end());
    return found;
  }

  Status serve() {
    if (!options.grpc_address.empty()) {
      grpc::ServerBuilder builder;
      builder.RegisterService(&xds->service(false));
      if (Status ok = listen(builder, options.grpc_address, grpc::InsecureServerCredentials()); !ok)
        return ok;
    }
    if (!options.secure_grpc_address.empty()) {
      auto credentials = server_credentials();
      if (!credentials) return std::unexpected(credentials.error());
      grpc::ServerBuilder builder;
      builder.RegisterService(&xds->service(true));
      builder.RegisterService(certificates.get());
      if (Status ok = listen(builder, options.secure_grpc_address, *credentials); !ok) return ok;
    }
    if (options.http_address.empty()) return {};
    auto api = HttpApi::listen(options.http_address, {*store, *rebuilder, *xds, *authority,
                                                      join_token, [this] { return analysis(); }});
    if (!api) return std::unexpected(api.error());
    http = std::move(*api);
    return {};
  }

  Status listen(grpc::ServerBuilder& builder, const std::string& address,
                const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    int port = 0;
    set_keepalive(builder);
    builder.AddListeningPort(address, credentials, &port);
    auto server = builder.BuildAndStart();
    if (!server || port == 0)
      return fail("cannot listen on {} (gRPC): is another control plane running?", address);
    log::info("control", "xDS on {}", address);
    servers.push_back(std::move(server));
    return {};
  }

  Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials() {
    std::vector<std::string> names = options.server_names;
    names.push_back(host_of(options.secure_grpc_address));
    auto certificate = authority->issue_server(names);
    if (!certificate) return std::unexpected(certificate.error());
    // Asked for but not required: a workload's first call to the CA has no certificate yet. The
    // xDS service itself turns away whoever shows none.
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = authority->root_pem();
    tls.pem_key_cert_pairs.push_back({certificate->key_pem, certificate->chain_pem});
    return grpc::SslServerCredentials(tls);
  }

  ControlOptions options;
  Rebuilder::MeshConfigPtr mesh_config;
  std::unique_ptr<Authority> authority;
  std::string join_token;
  std::unique_ptr<CertificateService> certificates;
  std::unique_ptr<ConfigStore> store;
  std::vector<std::unique_ptr<FileSource>> sources;
  std::unique_ptr<Registrar> registrar;
  std::unique_ptr<Rebuilder> rebuilder;
  std::unique_ptr<XdsServer> xds;
  DiagnosticLog diagnostic_log;
  std::unique_ptr<HttpApi> http;
  std::vector<std::unique_ptr<grpc::Server>> servers;
};

ControlPlane::ControlPlane() = default;
ControlPlane::~ControlPlane() = default;

Result<std::unique_ptr<ControlPlane>> ControlPlane::start(ControlOptions options) {
  std::unique_ptr<ControlPlane> control(new ControlPlane());
  control->impl_ = std::make_unique<Impl>(std::move(options));
  if (Status ok = control->impl_->start(); !ok) return std::unexpected(ok.error());
  return control;
}

}  // namespace sennit::mesh

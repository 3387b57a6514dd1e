#include "mesh/server/http_api.h"

#include <httplib.h>

#include <thread>

#include "mesh/ca/join_token.h"
#include "mesh/server/views.h"

namespace sennit::mesh {
namespace {

constexpr char kJson[] = "application/json";
constexpr char kText[] = "text/plain; version=0.0.4";
constexpr std::string_view kBearer = "Bearer ";
// `sennit apply` of a whole mesh fits; more is a mistake.
constexpr size_t kMaxBody = 32 * 1024 * 1024;

}  // namespace

struct HttpApi::Impl {
  explicit Impl(Parts parts) : parts(std::move(parts)) {}

  void add_routes() {
    server.Get("/ready",
               [](const auto&, auto& response) { response.set_content("ready\n", kText); });
    server.Get("/metrics", [this](const auto&, auto& response) {
      response.set_content(metrics_view(figures()), kText);
    });
    server.Get("/debug/syncz", [this](const auto&, auto& response) {
      response.set_content(sync_view(parts.xds.sessions()), kJson);
    });
    server.Get("/debug/configz", [this](const auto&, auto& response) {
      response.set_content(config_view(parts.store.resources()), kJson);
    });
    server.Get("/debug/endpointz", [this](const auto&, auto& response) {
      response.set_content(endpoint_view(*parts.rebuilder.current()), kJson);
    });
    server.Get("/debug/diagnostics", [this](const auto&, auto& response) {
      response.set_content(diagnostics_view(diagnostics()), kJson);
    });
    server.Get(R"(/v1/workload-groups/([^/]+)/([^/]+))",
               [this](const auto& request, auto& response) { workload_group(request, response); });
    server.Post("/v1/apply",
                [this](const auto& request, auto& response) { apply(request, response); });
  }

  std::vector<Diagnostic> diagnostics() const {
    std::vector<Diagnostic> all = parts.store.diagnostics();
    std::vector<Diagnostic> found = parts.analyze();
    all.insert(all.end(), found.begin(), found.end());
    return all;
  }

  ControlFigures figures() const {
    ControlFigures figures;
    auto mesh = parts.rebuilder.current();
    const PushCounters& counters = parts.xds.counters();
    figures.connected = parts.xds.sessions().size();
    figures.services = mesh->services().size();
    figures.virtual_services = mesh->virtual_services().size();
    figures.pushes = counters.pushes;
    figures.responses = counters.responses;
    figures.response_bytes = counters.response_bytes;
    figures.rejections = counters.rejections;
    figures.certificates = parts.authority.issued_count();
    figures.last_build = parts.rebuilder.last_build();
    for (const Diagnostic& diagnostic : diagnostics()) {
      figures.errors += diagnostic.level == Diagnostic::Level::Error;
      figures.warnings += diagnostic.level == Diagnostic::Level::Warning;
    }
    return figures;
  }

  void workload_group(const httplib::Request& request, httplib::Response& response) const {
    ResourcePtr group = parts.store.find({"WorkloadGroup", request.matches[1], request.matches[2]});
    if (!group) {
      response.status = 404;
      response.set_content("no such WorkloadGroup\n", kText);
      return;
    }
    response.set_content(workload_group_view(*group, parts.authority.trust_domain()), kJson);
  }

  void apply(const httplib::Request& request, httplib::Response& response) {
    std::string authorization = request.get_header_value("authorization");
    if (!authorization.starts_with(kBearer) ||
        !same_secret(std::string_view(authorization).substr(kBearer.size()), parts.join_token)) {
      response.status = 401;
      response.set_content("apply needs the join token (STATE/join-token of the control plane)\n",
                           kText);
      return;
    }
    ConfigStore::Applied applied = parts.store.apply(request.body);
    std::string text;
    for (const Diagnostic& diagnostic : applied.diagnostics) text += diagnostic.to_string() + "\n";
    for (const std::string& name : applied.names) text += name + " applied\n";
    response.status = applied.ok ? 200 : 422;
    response.set_content(text, kText);
  }

  Parts parts;
  httplib::Server server;
  std::thread thread;
};

HttpApi::HttpApi(Parts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}

Result<std::unique_ptr<HttpApi>> HttpApi::listen(const std::string& address, Parts parts) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return fail("{}: write HOST:PORT", address);
  std::unique_ptr<HttpApi> api(new HttpApi(std::move(parts)));
  Impl& impl = *api->impl_;
  impl.add_routes();
  impl.server.set_payload_max_length(kMaxBody);
  if (!impl.server.bind_to_port(address.substr(0, colon).c_str(),
                                std::atoi(address.c_str() + colon + 1)))
    return fail("cannot listen on {} (HTTP): is another control plane running?", address);
  impl.thread = std::thread([&impl] { impl.server.listen_after_bind(); });
  return api;
}

HttpApi::~HttpApi() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace sennit::mesh

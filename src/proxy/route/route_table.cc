#include "proxy/route/route_table.h"

#include <algorithm>
#include <set>

#include "proxy/match/field_path.h"
#include "proxy/route/domains.h"
#include "proxy/route/path.h"
#include "proxy/route/retry_policy.h"
#include "proxy/route/route_builder.h"
#include "proxy/route/supported_route_fields.h"

namespace sennit::proxy {
namespace {

namespace route_v3 = envoy::config::route::v3;

struct VirtualHost {
  route_v3::VirtualHost::TlsRequirementType require_tls = route_v3::VirtualHost::NONE;
  std::vector<std::shared_ptr<const Route>> routes;
};

std::string_view forwarded_proto(const http::HeaderMap& headers) {
  return headers.get(http::HeaderId::XForwardedProto).value_or(headers.scheme());
}

class Table final : public RouteTable {
 public:
  static Result<std::shared_ptr<const RouteTable>> build(const route_v3::RouteConfiguration& config,
                                                         FilterConfigParser parse);

  const std::string& name() const override { return name_; }
  const std::vector<std::string>& clusters() const override { return clusters_; }

  const Route* match(const http::HeaderMap& headers, const StreamInfo& info,
                     uint64_t random) const override {
    const size_t index = domains_.find(headers.authority(), ignore_port_);
    if (index == Domains::kNone) return nullptr;
    const VirtualHost& host = hosts_[index];
    if (host.require_tls != route_v3::VirtualHost::NONE && needs_tls(host, headers)) {
      return tls_redirect_.get();
    }
    const PathParts parts = split_path(headers.path());
    for (const auto& route : host.routes) {
      if (route->impl->match.matches(headers, parts.path, parts.query, info, random))
        return route.get();
    }
    return nullptr;
  }

 private:
  static bool needs_tls(const VirtualHost& host, const http::HeaderMap& headers) {
    if (forwarded_proto(headers) == "https") return false;
    return host.require_tls == route_v3::VirtualHost::ALL ||
           headers.get(http::HeaderId::XEnvoyInternal) != "true";
  }
  static std::shared_ptr<const Route> make_tls_redirect();
  Status add_host(const route_v3::VirtualHost& config, const RouteParents& table);
  Status add_routes(VirtualHost& host, const route_v3::VirtualHost& config,
                    const RouteParents& parents);
  void collect_clusters();

  std::string name_;
  bool ignore_port_ = false;
  Domains domains_;
  std::vector<VirtualHost> hosts_;
  std::shared_ptr<const Route> tls_redirect_ = make_tls_redirect();
  std::vector<std::string> clusters_;
};

std::shared_ptr<const Route> Table::make_tls_redirect() {
  auto route = std::make_shared<Route>();
  route->redirect.emplace();
  route->redirect->https = true;
  route->redirect->keep_port = true;
  route->impl = std::make_shared<Route::Impl>();
  return route;
}

Status Table::add_routes(VirtualHost& host, const route_v3::VirtualHost& config,
                         const RouteParents& parents) {
  for (int i = 0; i < config.routes_size(); ++i) {
    auto route = build_route(config.routes(i), parents);
    if (!route) return std::unexpected(in_field(route.error(), fmt::format("routes[{}]", i)));
    host.routes.push_back(*std::move(route));
  }
  return {};
}

Status Table::add_host(const route_v3::VirtualHost& config, const RouteParents& table) {
  RouteParents parents = table;
  parents.virtual_host = config.name();
  parents.include_attempt_count = config.include_request_attempt_count();
  parents.include_attempt_count_in_response = config.include_attempt_count_in_response();
  auto level = make_header_level(config);
  if (!level) return std::unexpected(level.error());
  parents.host_level = *std::move(level);
  auto filters = make_filter_configs(config.typed_per_filter_config(), table.parse);
  if (!filters) return std::unexpected(filters.error());
  parents.filter_configs = merge_filter_configs(*std::move(filters), table.filter_configs);
  if (config.has_retry_policy()) {
    auto retry = make_retry_policy(config.retry_policy());
    if (!retry) return std::unexpected(in_field(retry.error(), "retry_policy"));
    parents.retry = *std::move(retry);
  }
  auto mirrors = make_mirrors(config.request_mirror_policies());
  if (!mirrors) return std::unexpected(mirrors.error());
  if (!mirrors->empty()) parents.mirrors = *std::move(mirrors);

  for (int i = 0; i < config.domains_size(); ++i) {
    auto ok = domains_.add(config.domains(i), hosts_.size());
    if (!ok) return std::unexpected(in_field(ok.error(), fmt::format("domains[{}]", i)));
  }
  VirtualHost host;
  host.require_tls = config.require_tls();
  if (auto ok = add_routes(host, config, parents); !ok) return ok;
  hosts_.push_back(std::move(host));
  return {};
}

void Table::collect_clusters() {
  std::set<std::string> names;
  for (const auto& host : hosts_) {
    for (const auto& route : host.routes) {
      for (const auto& cluster : route->clusters) {
        if (!cluster.name.empty()) names.insert(cluster.name);
      }
      for (const auto& mirror : route->mirrors) names.insert(mirror.cluster);
    }
  }
  clusters_.assign(names.begin(), names.end());
}

Result<std::shared_ptr<const RouteTable>> Table::build(const route_v3::RouteConfiguration& config,
                                                       FilterConfigParser parse) {
  if (auto ok = refuse_unsupported(config, supported_route_fields()); !ok) {
    return std::unexpected(ok.error());
  }
  auto table = std::make_shared<Table>();
  table->name_ = config.name();
  table->ignore_port_ = config.ignore_port_in_host_matching();
  RouteParents parents;
  parents.parse = parse;
  parents.most_specific_wins = config.most_specific_header_mutations_wins();
  if (config.has_max_direct_response_body_size_bytes()) {
    parents.max_direct_response_body_size = config.max_direct_response_body_size_bytes().value();
  }
  auto level = make_header_level(config);
  if (!level) return std::unexpected(level.error());
  parents.table_level = *std::move(level);
  auto filters = make_filter_configs(config.typed_per_filter_config(), parse);
  if (!filters) return std::unexpected(filters.error());
  parents.filter_configs = *std::move(filters);
  auto mirrors = make_mirrors(config.request_mirror_policies());
  if (!mirrors) return std::unexpected(mirrors.error());
  parents.mirrors = *std::move(mirrors);
  for (int i = 0; i < config.virtual_hosts_size(); ++i) {
    auto ok = table->add_host(config.virtual_hosts(i), parents);
    if (!ok) return std::unexpected(in_field(ok.error(), fmt::format("virtual_hosts[{}]", i)));
  }
  table->collect_clusters();
  return table;
}

}  // namespace

Result<std::shared_ptr<const RouteTable>> RouteTable::create(
    const route_v3::RouteConfiguration& config, FilterConfigParser parse) {
  return Table::build(config, parse);
}

}  // namespace sennit::proxy

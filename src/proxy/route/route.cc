// What a chosen route does to a request and its response.
#include <algorithm>

#include "proxy/route/path.h"
#include "proxy/route/route_impl.h"

namespace sennit::proxy {
namespace {

void apply(const std::shared_ptr<const HeaderOperations>& operations, http::HeaderMap& headers,
           const StreamInfo& info, const http::HeaderMap* request,
           const http::HeaderMap* response) {
  if (operations) operations->apply(headers, info, request, response);
}

}  // namespace

bool Route::rewrite_path(http::HeaderMap& request) const {
  const Impl& how = *impl;
  if (how.prefix_rewrite.empty() && !how.regex_rewrite) return false;
  const std::string_view full = request.path();
  const PathParts parts = split_path(full);
  std::string path;
  if (how.regex_rewrite) {
    path = how.regex_rewrite->apply(parts.path);
  } else {
    const size_t cut = std::min(how.match.rewritten_length(), parts.path.size());
    path = how.prefix_rewrite;
    path += parts.path.substr(cut);
  }
  path += parts.query;
  if (path == full) return false;
  request.set(http::HeaderId::Path, path);
  return true;
}

std::optional<std::string> Route::rewritten_host(const WeightedCluster& cluster,
                                                 const http::HeaderMap& request) const {
  if (!cluster.host_rewrite.empty()) return cluster.host_rewrite;
  if (!host_rewrite.empty()) return host_rewrite;
  if (!host_rewrite_header.empty()) {
    const auto value = request.get(host_rewrite_header);
    if (value && !value->empty()) return std::string(*value);
  }
  if (impl->host_path_regex) return impl->host_path_regex->apply(split_path(request.path()).path);
  return std::nullopt;
}

void Route::apply_request_headers(const WeightedCluster& cluster, http::HeaderMap& request,
                                  const StreamInfo& info) const {
  const Impl& how = *impl;
  if (how.most_specific_wins) {
    for (int i = 2; i >= 0; --i) apply(how.levels[i].request, request, info, &request, nullptr);
    apply(cluster.request_headers, request, info, &request, nullptr);
    return;
  }
  apply(cluster.request_headers, request, info, &request, nullptr);
  for (const auto& level : how.levels) apply(level.request, request, info, &request, nullptr);
}

void Route::apply_response_headers(const WeightedCluster* cluster, http::HeaderMap& response,
                                   const http::HeaderMap& request, const StreamInfo& info) const {
  const Impl& how = *impl;
  if (how.most_specific_wins) {
    for (int i = 2; i >= 0; --i) apply(how.levels[i].response, response, info, &request, &response);
    if (cluster != nullptr) apply(cluster->response_headers, response, info, &request, &response);
    return;
  }
  if (cluster != nullptr) apply(cluster->response_headers, response, info, &request, &response);
  for (const auto& level : how.levels) apply(level.response, response, info, &request, &response);
}

std::optional<uint64_t> Route::hash(const http::HeaderMap& request, const StreamInfo& info,
                                    std::string* response_cookie) const {
  return hash_policy ? hash_policy->hash(request, info, response_cookie) : std::nullopt;
}

const WeightedCluster& Route::choose_cluster(uint64_t random) const {
  if (clusters.size() == 1 || total_weight == 0) return clusters.front();
  uint64_t left = random % total_weight;
  for (const WeightedCluster& cluster : clusters) {
    if (left < cluster.weight) return cluster;
    left -= cluster.weight;
  }
  return clusters.back();
}

const void* Route::filter_config(std::string_view filter_name,
                                 const WeightedCluster* cluster) const {
  const auto& configs = cluster != nullptr ? cluster->filter_configs : impl->filter_configs;
  const auto* entry = find_filter_config(configs, filter_name);
  return entry != nullptr ? entry->config.get() : nullptr;
}

bool Route::filter_disabled(std::string_view filter_name, const WeightedCluster* cluster) const {
  const auto& configs = cluster != nullptr ? cluster->filter_configs : impl->filter_configs;
  const auto* entry = find_filter_config(configs, filter_name);
  return entry != nullptr && entry->disabled;
}

}  // namespace sennit::proxy

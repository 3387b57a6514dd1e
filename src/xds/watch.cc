#include "xds/watch.h"

#include <fmt/format.h>

#include <algorithm>

namespace sennit::xds {
namespace {

// Types that a proxy may ask for as a whole by naming nothing.
bool may_be_wildcard(std::string_view type_url) {
  return type_url == kClusterType || type_url == kListenerType;
}

// The hostname in a cluster's name ("outbound|80|v1|reviews.default.svc.cluster.local").
std::string service_of(const std::string& cluster_name) {
  size_t bar = cluster_name.rfind('|');
  return bar == std::string::npos ? cluster_name : cluster_name.substr(bar + 1);
}

std::string version_of(uint64_t hash) {
  return fmt::format("{:016x}", hash);
}

}  // namespace

std::string Watch::next_nonce() {
  return nonce_ = fmt::format("{}", ++counter_);
}

void Watch::note_answer(std::string_view nonce, const google::rpc::Status* error) {
  if (error) {
    rejection_ = error->message();
    ++rejections_;
  } else if (nonce == nonce_) {
    rejection_.clear();
  }
  acked_nonce_ = nonce;
}

bool Watch::on_request(const DiscoveryRequest& request) {
  const bool first = !started_;
  if (!request.response_nonce().empty() && !first) {
    if (request.response_nonce() != nonce_) return false;  // crossed with a newer response
    note_answer(nonce_, request.has_error_detail() ? &request.error_detail() : nullptr);
  }
  started_ = true;
  std::set<std::string> names(request.resource_names().begin(), request.resource_names().end());
  const bool wildcard = names.contains("*") || (names.empty() && may_be_wildcard(type_url_));
  names.erase("*");
  const bool changed = wildcard != wildcard_ || names != names_;
  const bool more =
      changed && !std::includes(names_.begin(), names_.end(), names.begin(), names.end());
  // What is no longer asked for is sent whole if it is asked for again.
  if (!wildcard)
    std::erase_if(sent_, [&](const auto& item) { return !names.contains(item.first); });
  wildcard_ = wildcard;
  names_ = std::move(names);
  return first || more || (changed && wildcard);
}

bool Watch::on_request(const DeltaDiscoveryRequest& request) {
  const bool first = !started_;
  started_ = true;
  if (!request.response_nonce().empty())
    note_answer(request.response_nonce(),
                request.has_error_detail() ? &request.error_detail() : nullptr);
  if (first) {
    // A reconnecting proxy says what it has, so that only the difference is sent. Versions are
    // hashes of the content, so they hold over a restart of the control plane.
    for (const auto& [name, version] : request.initial_resource_versions())
      sent_[name] = std::strtoull(version.c_str(), nullptr, 16);
    wildcard_ = request.resource_names_subscribe().empty() && may_be_wildcard(type_url_);
  }
  bool more = false;
  for (const std::string& name : request.resource_names_subscribe()) {
    more = true;
    if (name == "*") {
      wildcard_ = true;
    } else {
      names_.insert(name);
      if (!first) sent_.erase(name);  // asking again means sending again
    }
  }
  for (const std::string& name : request.resource_names_unsubscribe()) {
    if (name == "*") wildcard_ = false;
    names_.erase(name);
    sent_.erase(name);
  }
  return first || more;
}

std::vector<Resource> Watch::wanted(const Resources& resources,
                                    const std::set<std::string>* services) const {
  if (wildcard_) return resources.all(type_url_);
  std::vector<Resource> result;
  for (const std::string& name : names_)
    if (!services || services->contains(service_of(name)))
      result.push_back(resources.one(type_url_, name));
  return result;
}

std::optional<DiscoveryResponse> Watch::make_response(const Resources& resources,
                                                      const Demand& demand) {
  if (!started_) return std::nullopt;
  last_changed_.clear();
  std::map<std::string, uint64_t> now;
  uint64_t combined = 14695981039346656037u;  // FNV-1a over the versions: the response's version
  DiscoveryResponse response;
  for (const Resource& resource : wanted(resources, demand.services)) {
    if (!resource.bytes) continue;
    auto before = sent_.find(resource.name);
    const bool changed = before == sent_.end() || before->second != resource.hash;
    if (changed) last_changed_.insert(resource.name);
    now[resource.name] = resource.hash;
    combined = (combined ^ resource.hash) * 1099511628211u;
    // Only types that come as a whole must be complete in each response.
    if (!wildcard_ && !changed && !demand.must_answer) continue;
    auto* any = response.add_resources();
    any->set_type_url(type_url_);
    any->set_value(*resource.bytes);
  }
  const bool removed = wildcard_ && std::any_of(sent_.begin(), sent_.end(), [&](const auto& item) {
                         return !now.contains(item.first);
                       });
  if (last_changed_.empty() && !removed && !demand.must_answer) return std::nullopt;
  // Endpoints and routes that do not exist yet stay unanswered: the proxy goes on waiting, and is
  // told when they appear. A whole set may be empty.
  if (response.resources().empty() && !wildcard_) return std::nullopt;
  if (wildcard_) {
    sent_ = std::move(now);
  } else {
    for (const auto& [name, hash] : now) sent_[name] = hash;
  }
  response.set_type_url(type_url_);
  response.set_version_info(version_of(combined));
  response.set_nonce(next_nonce());
  return response;
}

std::optional<DeltaDiscoveryResponse> Watch::make_delta(const Resources& resources,
                                                        const Demand& demand) {
  if (!started_) return std::nullopt;
  last_changed_.clear();
  DeltaDiscoveryResponse response;
  std::set<std::string> present;
  for (const Resource& resource : wanted(resources, demand.services)) {
    auto before = sent_.find(resource.name);
    const uint64_t version = resource.bytes ? resource.hash : kAbsent;
    if (resource.bytes) present.insert(resource.name);
    if (before != sent_.end() && before->second == version) continue;
    if (!resource.bytes) {
      if (demand.keep_removed) continue;
      response.add_removed_resources(resource.name);
      sent_[resource.name] = kAbsent;
      continue;
    }
    auto* item = response.add_resources();
    item->set_name(resource.name);
    item->set_version(version_of(version));
    item->mutable_resource()->set_type_url(type_url_);
    item->mutable_resource()->set_value(*resource.bytes);
    sent_[resource.name] = version;
    last_changed_.insert(resource.name);
  }
  if (wildcard_ && !demand.keep_removed) remove_absent(present, response);
  if (response.resources().empty() && response.removed_resources().empty() && !demand.must_answer)
    return std::nullopt;
  response.set_type_url(type_url_);
  response.set_nonce(next_nonce());
  response.set_system_version_info(nonce_);
  return response;
}

void Watch::remove_absent(const std::set<std::string>& present, DeltaDiscoveryResponse& response) {
  std::erase_if(sent_, [&](const auto& item) {
    if (present.contains(item.first) || names_.contains(item.first)) return false;
    response.add_removed_resources(item.first);
    return true;
  });
}

void Watch::resend(const std::set<std::string>& names) {
  for (const std::string& name : names) sent_.erase(name);
}

}  // namespace sennit::xds

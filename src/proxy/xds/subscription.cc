#include "proxy/xds/subscription.h"

#include <algorithm>
#include <iterator>

namespace sennit::proxy {
namespace {

constexpr int kInvalidArgument = 3;  // google.rpc.Code: what a NACK says
// Some servers log the text of a NACK into one header or line: longer ones are cut.
constexpr size_t kMaxErrorText = 4096;

}  // namespace

Subscription::Subscription(std::string type_url, bool wildcard, ResourceConsumer consumer)
    : type_url_(std::move(type_url)), wildcard_(wildcard), consumer_(std::move(consumer)) {}

bool Subscription::set_names(const std::vector<std::string>& names) {
  std::set<std::string> wanted(names.begin(), names.end());
  if (wanted == names_) return false;
  for (const auto& name : names_) {
    if (!wanted.contains(name)) known_.erase(name);
  }
  names_ = std::move(wanted);
  return true;
}

void Subscription::on_new_stream() {
  nonce_.clear();
  asked_names_.clear();
  asked_ = false;
}

Subscription::SotwRequest Subscription::sotw_request() {
  SotwRequest request;
  request.set_type_url(type_url_);
  request.set_version_info(version_);
  request.set_response_nonce(nonce_);
  for (const auto& name : names_) request.add_resource_names(name);
  asked_names_ = names_;
  asked_ = true;
  return request;
}

Subscription::DeltaRequest Subscription::delta_request() {
  DeltaRequest request;
  request.set_type_url(type_url_);
  std::vector<std::string> added, removed;
  std::ranges::set_difference(names_, asked_names_, std::back_inserter(added));
  std::ranges::set_difference(asked_names_, names_, std::back_inserter(removed));
  for (auto& name : added) request.add_resource_names_subscribe(std::move(name));
  for (auto& name : removed) request.add_resource_names_unsubscribe(std::move(name));
  if (!asked_) {
    for (const auto& [name, version] : known_) {
      (*request.mutable_initial_resource_versions())[name] = version;
    }
  }
  asked_names_ = names_;
  asked_ = true;
  return request;
}

bool Subscription::record(const Status& outcome, google::rpc::Status* detail) {
  if (outcome) {
    last_error_.clear();
    return true;
  }
  last_error_ = outcome.error().message.substr(0, kMaxErrorText);
  detail->set_code(kInvalidArgument);
  detail->set_message(last_error_);
  return false;
}

Subscription::SotwRequest Subscription::handle(const SotwResponse& response) {
  ResourceUpdate update{.full = true, .version = response.version_info()};
  Status outcome;
  for (const auto& body : response.resources()) {
    if (body.type_url() != type_url_) {
      outcome = fail("a resource of type {} in an answer for {}", body.type_url(), type_url_);
    }
    update.resources.push_back({"", response.version_info(), &body});
  }
  if (outcome) outcome = consumer_(update);
  nonce_ = response.nonce();
  google::rpc::Status detail;
  if (record(outcome, &detail)) version_ = response.version_info();
  SotwRequest answer = sotw_request();
  if (!outcome) *answer.mutable_error_detail() = std::move(detail);
  return answer;
}

Subscription::DeltaRequest Subscription::handle(const DeltaResponse& response) {
  ResourceUpdate update{.version = response.system_version_info()};
  Status outcome;
  for (const auto& resource : response.resources()) {
    if (resource.resource().type_url() != type_url_) {
      outcome = fail("resource {}: is of type {} in an answer for {}", resource.name(),
                     resource.resource().type_url(), type_url_);
    }
    update.resources.push_back({resource.name(), resource.version(), &resource.resource()});
  }
  for (const auto& name : response.removed_resources()) update.removed.push_back(name);
  if (outcome) outcome = consumer_(update);
  DeltaRequest answer = delta_request();
  answer.set_response_nonce(response.nonce());
  if (!record(outcome, answer.mutable_error_detail())) return answer;
  answer.clear_error_detail();
  version_ = response.system_version_info();
  for (const auto& resource : update.resources) known_[resource.name] = resource.version;
  for (const auto& name : update.removed) known_.erase(name);
  return answer;
}

}  // namespace sennit::proxy

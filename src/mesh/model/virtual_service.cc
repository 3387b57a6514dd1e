#include "mesh/model/virtual_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "mesh/model/delegate.h"
#include "mesh/model/hostname.h"

namespace sennit::mesh {

namespace {

// Qualifies every name in one VirtualService, in its own namespace.
class Qualifier {
 public:
  Qualifier(const Resource& resource, const std::string& domain)
      : namespace_(resource.namespace_), domain_(domain) {}

  void apply(api::VirtualService& spec) const {
    for (auto& host : *spec.mutable_hosts()) host = qualify_host(host, namespace_, domain_);
    if (spec.gateways().empty()) {
      spec.add_gateways("mesh");
    } else {
      gateways(*spec.mutable_gateways());
    }
    for (auto& http : *spec.mutable_http()) http_route(http);
    for (auto& tls : *spec.mutable_tls()) {
      for (auto& match : *tls.mutable_match()) gateways(*match.mutable_gateways());
      for (auto& route : *tls.mutable_route()) destination(*route.mutable_destination());
    }
    for (auto& tcp : *spec.mutable_tcp()) {
      for (auto& match : *tcp.mutable_match()) gateways(*match.mutable_gateways());
      for (auto& route : *tcp.mutable_route()) destination(*route.mutable_destination());
    }
  }

 private:
  void destination(api::Destination& to) const {
    to.set_host(qualify_host(to.host(), namespace_, domain_));
  }
  void gateways(google::protobuf::RepeatedPtrField<std::string>& names) const {
    for (auto& name : names) {
      if (name == "mesh" || name.empty()) continue;
      if (name.find('/') == name.npos) {
        name = namespace_ + "/" + name;
      } else if (name.starts_with("./")) {
        name = namespace_ + name.substr(1);
      }
    }
  }
  void http_route(api::HTTPRoute& http) const {
    for (auto& match : *http.mutable_match()) gateways(*match.mutable_gateways());
    for (auto& route : *http.mutable_route()) destination(*route.mutable_destination());
    if (http.has_mirror()) destination(*http.mutable_mirror());
    for (auto& mirror : *http.mutable_mirrors()) destination(*mirror.mutable_destination());
  }

  std::string namespace_, domain_;
};

using Delegates = std::map<std::pair<std::string, std::string>, VirtualServicePtr>;

// Replaces each delegating rule of `rule` by its delegate's rules.
void merge_delegates(VirtualServiceRule& rule, const Delegates& delegates, const Mesh& mesh,
                     std::vector<Diagnostic>& diagnostics) {
  google::protobuf::RepeatedPtrField<api::HTTPRoute> merged;
  const Resource& from = *rule.resource;
  for (int i = 0; i < rule.spec.http_size(); ++i) {
    const auto& root = rule.spec.http(i);
    if (!root.has_delegate()) {
      *merged.Add() = root;
      continue;
    }
    auto complain = [&](std::string message) {
      std::string path = fmt::format("http[{}].delegate", i);
      diagnostics.push_back({Diagnostic::Level::Warning, from.origin_of(path), from.display_name(),
                             path, std::move(message), "IST0101"});
    };
    const std::string& namespace_ =
        root.delegate().namespace_().empty() ? from.namespace_ : root.delegate().namespace_();
    auto found = delegates.find({namespace_, root.delegate().name()});
    if (found == delegates.end()) {
      complain(
          fmt::format("there is no VirtualService {}/{} without hosts to delegate to; requests "
                      "go on to the next rule. Add it, or take the delegate out.",
                      namespace_, root.delegate().name()));
      continue;
    }
    const auto& exported = found->second->spec.export_to();
    if (!mesh.visible({exported.begin(), exported.end()}, namespace_, from.namespace_)) {
      complain(fmt::format("VirtualService {}/{} is not exported to namespace {}", namespace_,
                           root.delegate().name(), from.namespace_));
      continue;
    }
    for (const auto& leaf : found->second->spec.http()) {
      if (auto one = merge_delegate(root, leaf)) {
        *merged.Add() = std::move(*one);
      } else {
        complain(
            fmt::format("a rule of VirtualService {}/{} can match nothing that this rule "
                        "matches; it is left out",
                        namespace_, root.delegate().name()));
      }
    }
  }
  rule.spec.mutable_http()->Swap(&merged);
}

}  // namespace

std::vector<VirtualServicePtr> make_virtual_services(const std::vector<ResourcePtr>& resources,
                                                     const Mesh& mesh,
                                                     std::vector<Diagnostic>& diagnostics) {
  Delegates delegates;
  std::vector<std::shared_ptr<VirtualServiceRule>> roots;
  for (const auto& resource : resources) {
    auto rule = std::make_shared<VirtualServiceRule>();
    rule->resource = resource;
    rule->spec = resource->as<api::VirtualService>();
    Qualifier(*resource, mesh.identity().domain).apply(rule->spec);
    if (rule->spec.export_to().empty()) {
      *rule->spec.mutable_export_to() = mesh.config().default_virtual_service_export_to();
    }
    if (rule->spec.hosts().empty()) {
      delegates.emplace(std::pair(resource->namespace_, resource->name), rule);
    } else {
      roots.push_back(std::move(rule));
    }
  }
  std::vector<VirtualServicePtr> out;
  for (auto& rule : roots) {
    bool delegating = std::ranges::any_of(
        rule->spec.http(), [](const api::HTTPRoute& http) { return http.has_delegate(); });
    if (delegating) merge_delegates(*rule, delegates, mesh, diagnostics);
    out.push_back(std::move(rule));
  }
  return out;
}

}  // namespace sennit::mesh

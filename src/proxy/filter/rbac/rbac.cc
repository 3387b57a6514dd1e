// envoy.filters.http.rbac: 403 for what the policies do not allow. Shadow rules are evaluated and
// counted, never enforced (Istio's dry run).
#include <envoy/extensions/filters/http/rbac/v3/rbac.pb.h>

#include "proxy/filter/filter_types.h"
#include "proxy/filter/rbac/engine.h"
#include "proxy/filter/typed_config.h"
#include "proxy/match/field_path.h"

namespace sennit::proxy {
namespace {

using Config = envoy::extensions::filters::http::rbac::v3::RBAC;

struct Engines {
  std::shared_ptr<const rbac::Engine> enforced, shadow;  // nullptr: none
};

struct RbacCounters {
  stats::CounterId allowed, denied, shadow_allowed, shadow_denied;
};

class RbacFilter final : public Filter {
 public:
  RbacFilter(const Engines& engines, const RbacCounters& counters, FilterCallbacks& callbacks)
      : engines_(&engines), counters_(counters), callbacks_(callbacks) {}

  FilterResult on_request_headers(http::HeaderMap& request, bool) override {
    if (const void* of_route = callbacks_.route_config())
      engines_ = static_cast<const Engines*>(of_route);
    const DownstreamInfo* downstream = callbacks_.info().downstream;
    if (downstream == nullptr) return FilterResult::Continue;
    const rbac::Input input{*downstream, &request};
    stats::Shard& stats = callbacks_.stats();
    if (engines_->shadow) {
      const bool allowed = engines_->shadow->evaluate(input).allowed;
      stats.inc(allowed ? counters_.shadow_allowed : counters_.shadow_denied);
    }
    if (!engines_->enforced) return FilterResult::Continue;
    const rbac::Verdict verdict = engines_->enforced->evaluate(input);
    stats.inc(verdict.allowed ? counters_.allowed : counters_.denied);
    if (verdict.allowed) return FilterResult::Continue;
    callbacks_.send_local_reply(403, "RBAC: access denied", rbac::denial_details(verdict));
    return FilterResult::Stop;
  }

 private:
  const Engines* engines_;
  const RbacCounters& counters_;
  FilterCallbacks& callbacks_;
};

class RbacFactory final : public FilterFactory {
 public:
  RbacFactory(Engines engines, const Config& config, const FilterBuildContext& context)
      : engines_(std::move(engines)) {
    const auto counter = [&](const std::string& name) {
      return context.stats.counter(
          {fmt::format("http.{}.rbac.{}", context.stat_prefix, name),
           fmt::format("envoy_http_rbac_{}", name),
           {{"envoy_http_conn_manager_prefix", std::string(context.stat_prefix)}}});
    };
    const std::string& shadow = config.shadow_rules_stat_prefix();
    counters_ = {counter(config.rules_stat_prefix() + "allowed"),
                 counter(config.rules_stat_prefix() + "denied"), counter(shadow + "shadow_allowed"),
                 counter(shadow + "shadow_denied")};
  }
  uint32_t hooks() const override { return kRequestHeaders; }
  std::unique_ptr<Filter> create(FilterCallbacks& callbacks) const override {
    return std::make_unique<RbacFilter>(engines_, counters_, callbacks);
  }

 private:
  const Engines engines_;
  RbacCounters counters_;
};

const SupportedFields& supported_fields() {
  static const SupportedFields fields = {
      {"envoy.extensions.filters.http.rbac.v3.RBAC",
       {"rules", "rules_stat_prefix", "shadow_rules", "shadow_rules_stat_prefix"}}};
  return fields;
}

Result<Engines> make_engines(const Config& config) {
  Engines engines;
  if (config.has_rules()) {
    auto engine = rbac::Engine::create(config.rules());
    if (!engine) return std::unexpected(in_field(engine.error(), "rules"));
    engines.enforced = *std::move(engine);
  }
  if (config.has_shadow_rules()) {
    auto engine = rbac::Engine::create(config.shadow_rules());
    if (!engine) return std::unexpected(in_field(engine.error(), "shadow_rules"));
    engines.shadow = *std::move(engine);
  }
  return engines;
}

Result<std::unique_ptr<FilterFactory>> create(const google::protobuf::Any& any,
                                              const FilterBuildContext& context) {
  auto config = unpack_config<Config>(any, supported_fields());
  if (!config) return std::unexpected(config.error());
  auto engines = make_engines(*config);
  if (!engines) return std::unexpected(engines.error());
  return std::make_unique<RbacFactory>(*std::move(engines), *config, context);
}

Result<std::shared_ptr<const void>> create_route_config(const google::protobuf::Any& any) {
  auto config = unpack_config<envoy::extensions::filters::http::rbac::v3::RBACPerRoute>(
      any, supported_fields());
  if (!config) return std::unexpected(config.error());
  auto engines = make_engines(config->rbac());
  if (!engines) return std::unexpected(in_field(engines.error(), "rbac"));
  return std::make_shared<Engines>(*std::move(engines));
}

}  // namespace

FilterType rbac_filter_type() {
  return {"type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC", create,
          create_route_config,
          "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute"};
}

}  // namespace sennit::proxy

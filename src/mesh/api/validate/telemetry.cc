#include "mesh/api/istio/telemetry.pb.h"

#include "mesh/api/validate/common.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

void check_tracing(Checker& checker, const std::string& field, const api::Tracing& tracing) {
  check_percent(checker, below(field, "randomSamplingPercentage"),
                tracing.random_sampling_percentage());
  if (tracing.providers_size() > 1)
    checker.error(below(field, "providers"), "at most one provider can trace");
  for (const auto& [name, tag] : tracing.custom_tags()) {
    const std::string path = keyed(below(field, "customTags"), name);
    if (name.empty()) checker.error(path, "needs a name");
    if (tag.has_environment() && tag.environment().name().empty())
      checker.error(below(path, "environment"), "needs a \"name\"");
    if (tag.has_header() && tag.header().name().empty())
      checker.error(below(path, "header"), "needs a \"name\"");
    if (tag.has_literal() && tag.literal().value().empty())
      checker.error(below(path, "literal"), "needs a \"value\"");
  }
}

void check_metrics(Checker& checker, const std::string& field, const api::Metrics& metrics) {
  using TagOverride = api::MetricsOverrides::TagOverride;
  if (metrics.has_reporting_interval())
    check_duration(checker, below(field, "reportingInterval"), metrics.reporting_interval());
  for (int i = 0; i < metrics.overrides_size(); ++i)
    for (const auto& [name, tag] : metrics.overrides(i).tag_overrides()) {
      const std::string path = keyed(below(at(below(field, "overrides"), i), "tagOverrides"), name);
      if (tag.operation() == TagOverride::UPSERT && tag.value().empty())
        checker.error(path, "needs a \"value\" with operation UPSERT");
      if (tag.operation() == TagOverride::REMOVE && !tag.value().empty())
        checker.error(below(path, "value"), "must be empty with operation REMOVE");
    }
}

}  // namespace

void validate_telemetry(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::Telemetry>();
  check_attachment(checker, spec);
  for (int i = 0; i < spec.tracing_size(); ++i)
    check_tracing(checker, at("tracing", i), spec.tracing(i));
  for (int i = 0; i < spec.metrics_size(); ++i)
    check_metrics(checker, at("metrics", i), spec.metrics(i));
}

}  // namespace sennit::mesh

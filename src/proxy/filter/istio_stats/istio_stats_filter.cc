// istio.stats as an HTTP filter: counts each request when it is complete. The work is in
// telemetry/istio_stats.h; TCP filter chains use that directly.
#include <istio/stats.pb.h>

#include "proxy/filter/filter_types.h"
#include "proxy/filter/typed_config.h"
#include "proxy/telemetry/istio_stats.h"

namespace sennit::proxy {
namespace {

class IstioStatsFilter final : public Filter {
 public:
  IstioStatsFilter(const IstioStats& stats, FilterCallbacks& callbacks)
      : stats_(stats), callbacks_(callbacks) {}
  void on_complete(const StreamInfo& info) override {
    stats_.record_request(info, &callbacks_.request_headers(), callbacks_.stats());
  }

 private:
  const IstioStats& stats_;
  FilterCallbacks& callbacks_;
};

class IstioStatsFactory final : public FilterFactory {
 public:
  explicit IstioStatsFactory(std::shared_ptr<const IstioStats> stats) : stats_(std::move(stats)) {}
  uint32_t hooks() const override { return kComplete; }
  std::unique_ptr<Filter> create(FilterCallbacks& callbacks) const override {
    return std::make_unique<IstioStatsFilter>(*stats_, callbacks);
  }

 private:
  const std::shared_ptr<const IstioStats> stats_;
};

Result<std::unique_ptr<FilterFactory>> create(const google::protobuf::Any& any,
                                              const FilterBuildContext& context) {
  auto config = unpack_config<::stats::PluginConfig>(any);
  if (!config) return std::unexpected(config.error());
  const Reporter reporter =
      context.direction == TrafficDirection::Inbound ? Reporter::Destination : Reporter::Source;
  auto stats = IstioStats::create(*config, context.stats, context.node, reporter);
  if (!stats) return std::unexpected(stats.error());
  return std::make_unique<IstioStatsFactory>(*std::move(stats));
}

}  // namespace

FilterType istio_stats_filter_type() {
  return {"type.googleapis.com/stats.PluginConfig", create, nullptr, {}};
}

}  // namespace sennit::proxy

// envoy.filters.http.grpc_stats: counts messages of gRPC streams per HCM, and successes and
// failures. Istio installs it so that gRPC streams have message counts; per-method statistics are
// bounded only by what clients send, so they are refused.
#include <envoy/extensions/filters/http/grpc_stats/v3/config.pb.h>

#include "proxy/filter/filter_types.h"
#include "proxy/filter/grpc_stats/message_counter.h"
#include "proxy/filter/typed_config.h"

namespace sennit::proxy {
namespace {

using Config = envoy::extensions::filters::http::grpc_stats::v3::FilterConfig;

struct Counters {
  stats::CounterId request_messages, response_messages, success, failure;
};

class GrpcStatsFilter final : public Filter {
 public:
  GrpcStatsFilter(const Counters& counters, FilterCallbacks& callbacks)
      : counters_(counters), callbacks_(callbacks) {}

  void on_request_data(std::string_view data, bool) override {
    if (callbacks_.info().is_grpc) requests_.count(data);
  }
  void on_response_data(std::string_view data, bool) override {
    if (callbacks_.info().is_grpc) responses_.count(data);
  }
  void on_complete(const StreamInfo& info) override {
    if (!info.is_grpc) return;
    stats::Shard& stats = callbacks_.stats();
    stats.inc(counters_.request_messages, requests_.messages());
    stats.inc(counters_.response_messages, responses_.messages());
    stats.inc(info.grpc_status == 0 ? counters_.success : counters_.failure);
  }

 private:
  const Counters& counters_;
  FilterCallbacks& callbacks_;
  GrpcMessageCounter requests_, responses_;
};

class GrpcStatsFactory final : public FilterFactory {
 public:
  explicit GrpcStatsFactory(const FilterBuildContext& context) {
    const auto counter = [&](const char* name) {
      return context.stats.counter(
          {fmt::format("http.{}.grpc.{}", context.stat_prefix, name),
           fmt::format("envoy_http_grpc_{}", name),
           {{"envoy_http_conn_manager_prefix", std::string(context.stat_prefix)}}});
    };
    counters_ = {counter("request_message_count"), counter("response_message_count"),
                 counter("success"), counter("failure")};
  }
  uint32_t hooks() const override { return kRequestData | kResponseData | kComplete; }
  std::unique_ptr<Filter> create(FilterCallbacks& callbacks) const override {
    return std::make_unique<GrpcStatsFilter>(counters_, callbacks);
  }

 private:
  Counters counters_;
};

Result<std::unique_ptr<FilterFactory>> create(const google::protobuf::Any& any,
                                              const FilterBuildContext& context) {
  static const SupportedFields supported = {
      {"envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
       {"emit_filter_state", "stats_for_all_methods"}}};
  auto config = unpack_config<Config>(any, supported);
  if (!config) return std::unexpected(config.error());
  if (config->stats_for_all_methods().value())
    return fail("stats_for_all_methods: true is not supported");
  return std::make_unique<GrpcStatsFactory>(context);
}

}  // namespace

FilterType grpc_stats_filter_type() {
  return {"type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
          create,
          nullptr,
          {}};
}

}  // namespace sennit::proxy

// envoy.filters.http.fault: delays and aborts a part of the requests. The route's configuration
// takes the place of the filter's own. The delay comes before the router starts, so that it does
// not count toward the route's timeout; an abort comes after the delay.
#include <envoy/extensions/filters/http/fault/v3/fault.pb.h>

#include <atomic>
#include <optional>

#include "net/event_loop.h"
#include "proxy/filter/filter_types.h"
#include "proxy/filter/typed_config.h"
#include "proxy/match/field_path.h"
#include "proxy/match/fraction.h"
#include "proxy/match/header_matcher.h"

namespace sennit::proxy {
namespace {

using Config = envoy::extensions::filters::http::fault::v3::HTTPFault;
constexpr std::string_view kAbortBody = "fault filter abort";

struct FaultConfig {
  std::optional<Fraction> delay, abort;
  std::chrono::milliseconds delay_for{0};
  int http_status = 0;
  std::optional<int> grpc_status;
  std::string body{kAbortBody};
  std::vector<HeaderMatcher> headers;
  std::optional<uint64_t> max_active;
  // Faults at work now, over all workers. Touched only where a fault is injected.
  mutable std::atomic<uint64_t> active{0};
};

struct FaultMetrics {
  stats::CounterId delays, aborts, overflow;
  stats::GaugeId active;
};

class FaultFilter final : public Filter {
 public:
  FaultFilter(const FaultConfig& own, const FaultMetrics& metrics, FilterCallbacks& callbacks)
      : config_(&own), metrics_(metrics), callbacks_(callbacks) {}
  ~FaultFilter() override {
    if (!counted_) return;
    config_->active.fetch_sub(1, std::memory_order_relaxed);
    callbacks_.stats().add(metrics_.active, -1);
  }

  FilterResult on_request_headers(http::HeaderMap& request, bool) override {
    if (const void* of_route = callbacks_.route_config()) {
      config_ = static_cast<const FaultConfig*>(of_route);
    }
    if (!config_->delay && !config_->abort) return FilterResult::Continue;
    if (!all_match(config_->headers, request)) return FilterResult::Continue;
    const bool delay = config_->delay && config_->delay->hit(callbacks_.random());
    abort_ = config_->abort && config_->abort->hit(callbacks_.random());
    if ((!delay && !abort_) || !take_slot()) return FilterResult::Continue;
    if (!delay) return abort();
    callbacks_.info().flags.set(ResponseFlag::DelayInjected);
    callbacks_.stats().inc(metrics_.delays);
    timer_.emplace(callbacks_.loop(), [this] { after_delay(); });
    timer_->enable(config_->delay_for);
    return FilterResult::Stop;
  }

  // A grpc_status abort names the status itself; the reply was made for an HTTP one.
  void on_response_headers(http::HeaderMap& response, bool) override {
    if (!aborted_ || !config_->grpc_status || !callbacks_.info().is_grpc) return;
    response.set(http::HeaderId::GrpcStatus, std::to_string(*config_->grpc_status));
    callbacks_.info().grpc_status = config_->grpc_status;
  }

 private:
  bool take_slot() {
    const uint64_t before = config_->active.fetch_add(1, std::memory_order_relaxed);
    if (config_->max_active && before >= *config_->max_active) {
      config_->active.fetch_sub(1, std::memory_order_relaxed);
      callbacks_.stats().inc(metrics_.overflow);
      return false;
    }
    callbacks_.stats().add(metrics_.active, 1);
    counted_ = true;
    return true;
  }
  void after_delay() {
    if (abort_) {
      abort();
    } else {
      callbacks_.resume_request();
    }
  }
  FilterResult abort() {
    aborted_ = true;
    ResponseFlags flags;
    flags.set(ResponseFlag::FaultInjected);
    callbacks_.stats().inc(metrics_.aborts);
    const int status = config_->grpc_status ? 200 : config_->http_status;
    callbacks_.send_local_reply(status, config_->body, "fault_filter_abort", flags);
    return FilterResult::Stop;
  }

  const FaultConfig* config_;
  const FaultMetrics& metrics_;
  FilterCallbacks& callbacks_;
  std::optional<net::Timer> timer_;
  bool abort_ = false, aborted_ = false, counted_ = false;
};

class FaultFactory final : public FilterFactory {
 public:
  FaultFactory(std::shared_ptr<const FaultConfig> config, const FilterBuildContext& context)
      : config_(std::move(config)) {
    const auto key = [&](const char* name) {
      return stats::MetricKey{
          fmt::format("http.{}.fault.{}", context.stat_prefix, name),
          fmt::format("envoy_http_fault_{}", name),
          {{"envoy_http_conn_manager_prefix", std::string(context.stat_prefix)}}};
    };
    metrics_.delays = context.stats.counter(key("delays_injected"));
    metrics_.aborts = context.stats.counter(key("aborts_injected"));
    metrics_.overflow = context.stats.counter(key("faults_overflow"));
    metrics_.active = context.stats.gauge(key("active_faults"));
  }
  uint32_t hooks() const override { return kRequestHeaders | kResponseHeaders; }
  std::unique_ptr<Filter> create(FilterCallbacks& callbacks) const override {
    return std::make_unique<FaultFilter>(*config_, metrics_, callbacks);
  }

 private:
  const std::shared_ptr<const FaultConfig> config_;
  FaultMetrics metrics_;
};

const SupportedFields& supported_fields() {
  static const SupportedFields fields = {
      {"envoy.extensions.filters.http.fault.v3.HTTPFault",
       {"delay", "abort", "headers", "max_active_faults", "disable_downstream_cluster_stats"}},
      {"envoy.extensions.filters.http.fault.v3.FaultAbort",
       {"http_status", "grpc_status", "percentage", "response_body"}},
      {"envoy.extensions.filters.common.fault.v3.FaultDelay", {"fixed_delay", "percentage"}},
  };
  return fields;
}

Status set_delay(FaultConfig& fault, const Config& config) {
  if (!config.has_delay()) return {};
  auto delay = to_milliseconds(config.delay().fixed_delay());
  if (!delay) return std::unexpected(in_field(delay.error(), "delay.fixed_delay"));
  fault.delay_for = *delay;
  if (delay->count() > 0) fault.delay = make_fraction(config.delay().percentage());
  return {};
}

Status set_abort(FaultConfig& fault, const Config& config) {
  if (!config.has_abort()) return {};
  const auto& abort = config.abort();
  if (abort.has_grpc_status()) {
    fault.grpc_status = static_cast<int>(abort.grpc_status());
  } else if (abort.http_status() < 200 || abort.http_status() > 599) {
    return fail("abort.http_status: {} is not within 200 and 599", abort.http_status());
  }
  fault.http_status = static_cast<int>(abort.http_status());
  if (!abort.response_body().empty()) fault.body = abort.response_body();
  fault.abort = make_fraction(abort.percentage());
  return {};
}

Result<std::shared_ptr<FaultConfig>> make_fault(const google::protobuf::Any& any) {
  auto config = unpack_config<Config>(any, supported_fields());
  if (!config) return std::unexpected(config.error());
  auto fault = std::make_shared<FaultConfig>();
  if (auto ok = set_delay(*fault, *config); !ok) return std::unexpected(ok.error());
  if (auto ok = set_abort(*fault, *config); !ok) return std::unexpected(ok.error());
  auto headers = make_header_matchers(config->headers(), "headers");
  if (!headers) return std::unexpected(headers.error());
  fault->headers = *std::move(headers);
  if (config->has_max_active_faults()) fault->max_active = config->max_active_faults().value();
  return fault;
}

Result<std::unique_ptr<FilterFactory>> create(const google::protobuf::Any& any,
                                              const FilterBuildContext& context) {
  auto fault = make_fault(any);
  if (!fault) return std::unexpected(fault.error());
  return std::make_unique<FaultFactory>(*std::move(fault), context);
}

Result<std::shared_ptr<const void>> create_route_config(const google::protobuf::Any& any) {
  return make_fault(any);
}

}  // namespace

FilterType fault_filter_type() {
  return {"type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
          create,
          create_route_config,
          {}};
}

}  // namespace sennit::proxy

#include "proxy/telemetry/log_filter.h"

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "proxy/match/field_path.h"
#include "proxy/match/fraction.h"
#include "proxy/match/header_matcher.h"

namespace sennit::proxy {
namespace {

namespace log_v3 = envoy::config::accesslog::v3;
using Config = log_v3::AccessLogFilter;
using Predicate = std::function<bool(const StreamInfo&, const http::HeaderMap*)>;

class PredicateFilter final : public LogFilter {
 public:
  explicit PredicateFilter(Predicate predicate) : predicate_(std::move(predicate)) {}
  bool passes(const StreamInfo& info, const http::HeaderMap* request) const override {
    return predicate_(info, request);
  }

 private:
  const Predicate predicate_;
};

std::function<bool(uint64_t)> comparison(const log_v3::ComparisonFilter& config) {
  const uint64_t value = config.value().default_value();
  switch (config.op()) {
    case log_v3::ComparisonFilter::GE:
      return [value](uint64_t x) { return x >= value; };
    case log_v3::ComparisonFilter::LE:
      return [value](uint64_t x) { return x <= value; };
    case log_v3::ComparisonFilter::NE:
      return [value](uint64_t x) { return x != value; };
    default:
      return [value](uint64_t x) { return x == value; };
  }
}

Result<Predicate> response_flag_predicate(const log_v3::ResponseFlagFilter& config) {
  uint32_t mask = 0;
  for (const auto& code : config.flags()) {
    uint8_t flag = 0;
    while (flag < static_cast<uint8_t>(ResponseFlag::Count) &&
           response_flag_text(static_cast<ResponseFlag>(flag)).code != code) {
      ++flag;
    }
    if (flag == static_cast<uint8_t>(ResponseFlag::Count)) {
      return fail("response_flag_filter.flags: \"{}\" is not a response flag", code);
    }
    mask |= 1u << flag;
  }
  return [mask](const StreamInfo& info, const http::HeaderMap*) {
    return mask == 0 ? info.flags.any() : (info.flags.bits() & mask) != 0;
  };
}

Predicate grpc_status_predicate(const log_v3::GrpcStatusFilter& config) {
  const std::vector<int> statuses(config.statuses().begin(), config.statuses().end());
  return [statuses, exclude = config.exclude()](const StreamInfo& info, const http::HeaderMap*) {
    constexpr int kUnknown = 2;
    const int status = info.grpc_status.value_or(kUnknown);
    return (std::ranges::find(statuses, status) != statuses.end()) != exclude;
  };
}

Predicate runtime_predicate(const log_v3::RuntimeFilter& config) {
  return [fraction = make_fraction(config.percent_sampled())](const StreamInfo&,
                                                              const http::HeaderMap*) {
    thread_local std::minstd_rand random(std::random_device{}());
    return fraction.hit(random());
  };
}

Result<Predicate> header_predicate(const log_v3::HeaderFilter& config) {
  auto matcher = HeaderMatcher::create(config.header());
  if (!matcher) return std::unexpected(in_field(matcher.error(), "header_filter.header"));
  return [matcher = *std::move(matcher)](const StreamInfo&, const http::HeaderMap* request) {
    return request != nullptr && matcher.matches(*request);
  };
}

template <typename Filters>
Result<std::vector<std::shared_ptr<const LogFilter>>> make_all(const Filters& configs,
                                                               std::string_view field) {
  std::vector<std::shared_ptr<const LogFilter>> filters;
  for (int i = 0; i < configs.size(); ++i) {
    auto filter = LogFilter::create(configs[i]);
    if (!filter)
      return std::unexpected(in_field(filter.error(), fmt::format("{}.filters[{}]", field, i)));
    filters.push_back(*std::move(filter));
  }
  return filters;
}

Result<Predicate> and_predicate(const log_v3::AndFilter& config) {
  auto filters = make_all(config.filters(), "and_filter");
  if (!filters) return std::unexpected(filters.error());
  return [filters = *std::move(filters)](const StreamInfo& info, const http::HeaderMap* request) {
    return std::ranges::all_of(filters,
                               [&](const auto& filter) { return filter->passes(info, request); });
  };
}

Result<Predicate> or_predicate(const log_v3::OrFilter& config) {
  auto filters = make_all(config.filters(), "or_filter");
  if (!filters) return std::unexpected(filters.error());
  return [filters = *std::move(filters)](const StreamInfo& info, const http::HeaderMap* request) {
    return std::ranges::any_of(filters,
                               [&](const auto& filter) { return filter->passes(info, request); });
  };
}

Result<Predicate> make_predicate(const Config& config) {
  switch (config.filter_specifier_case()) {
    case Config::kStatusCodeFilter:
      return [compare = comparison(config.status_code_filter().comparison())](
                 const StreamInfo& info, const http::HeaderMap*) {
        return compare(static_cast<uint64_t>(info.response_code));
      };
    case Config::kDurationFilter:
      return [compare = comparison(config.duration_filter().comparison())](const StreamInfo& info,
                                                                           const http::HeaderMap*) {
        const auto took =
            std::chrono::duration_cast<std::chrono::milliseconds>(info.end - info.start);
        return compare(static_cast<uint64_t>(took.count()));
      };
    case Config::kNotHealthCheckFilter:  // the health_check filter is not supported: none are
      return [](const StreamInfo&, const http::HeaderMap*) { return true; };
    case Config::kRuntimeFilter:
      return runtime_predicate(config.runtime_filter());
    case Config::kAndFilter:
      return and_predicate(config.and_filter());
    case Config::kOrFilter:
      return or_predicate(config.or_filter());
    case Config::kHeaderFilter:
      return header_predicate(config.header_filter());
    case Config::kResponseFlagFilter:
      return response_flag_predicate(config.response_flag_filter());
    case Config::kGrpcStatusFilter:
      return grpc_status_predicate(config.grpc_status_filter());
    case Config::FILTER_SPECIFIER_NOT_SET:
      return fail("an access log filter is empty");
    default:
      break;
  }
  const auto* oneof = config.GetDescriptor()->FindOneofByName("filter_specifier");
  return fail("{}: is not supported",
              config.GetReflection()->GetOneofFieldDescriptor(config, oneof)->name());
}

}  // namespace

Result<std::unique_ptr<const LogFilter>> LogFilter::create(const Config& config) {
  auto predicate = make_predicate(config);
  if (!predicate) return std::unexpected(predicate.error());
  return std::make_unique<const PredicateFilter>(*std::move(predicate));
}

}  // namespace sennit::proxy

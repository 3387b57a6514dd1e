#include <envoy/extensions/filters/http/cors/v3/cors.pb.h>
#include <envoy/extensions/filters/http/fault/v3/fault.pb.h>

#include <cmath>

#include "mesh/api/grpc_status.h"
#include "mesh/translate/route_context.h"

namespace sennit::mesh {

namespace {

using envoy::type::v3::FractionalPercent;
using HttpFault = envoy::extensions::filters::http::fault::v3::HTTPFault;
using Cors = envoy::extensions::filters::http::cors::v3::CorsPolicy;
constexpr double kMillionPerPercent = 10000;
constexpr uint32_t kGrpcUnknown = 2;

FractionalPercent fraction(const api::Percent& percent) {
  FractionalPercent out;
  out.set_numerator(static_cast<uint32_t>(std::lround(percent.value() * kMillionPerPercent)));
  out.set_denominator(FractionalPercent::MILLION);
  return out;
}

void join(const google::protobuf::RepeatedPtrField<std::string>& words, std::string& out) {
  for (const auto& word : words) {
    if (!out.empty()) out += ',';
    out += word;
  }
}

}  // namespace

void set_fault(const api::HTTPFaultInjection& fault, route_v3::Route& route) {
  HttpFault out;
  const auto& delay = fault.delay();
  bool delayed = fault.has_delay() && delay.has_fixed_delay() &&
                 (delay.has_percentage() || delay.percent() > 0);
  if (delayed && (delay.fixed_delay().seconds() > 0 || delay.fixed_delay().nanos() > 0)) {
    *out.mutable_delay()->mutable_fixed_delay() = delay.fixed_delay();
    if (delay.has_percentage()) {
      *out.mutable_delay()->mutable_percentage() = fraction(delay.percentage());
    } else {
      out.mutable_delay()->mutable_percentage()->set_numerator(delay.percent());
    }
  }
  // Without a percentage an abort is for nobody.
  const auto& abort = fault.abort();
  if (fault.has_abort() && abort.has_percentage()) {
    if (abort.error_type_case() == api::HTTPFaultInjection::Abort::kHttpStatus) {
      out.mutable_abort()->set_http_status(static_cast<uint32_t>(abort.http_status()));
    } else {
      out.mutable_abort()->set_grpc_status(
          grpc_status_code(abort.grpc_status()).value_or(kGrpcUnknown));
    }
    *out.mutable_abort()->mutable_percentage() = fraction(abort.percentage());
  }
  if (!out.has_delay() && !out.has_abort()) return;
  (*route.mutable_typed_per_filter_config())["envoy.filters.http.fault"] = pack(out);
}

void set_cors(const api::CorsPolicy& cors, route_v3::Route& route) {
  Cors out;
  for (const auto& origin : cors.allow_origins()) {
    auto* match = out.add_allow_origin_string_match();
    if (origin.has_exact()) match->set_exact(origin.exact());
    if (origin.has_prefix()) match->set_prefix(origin.prefix());
    if (origin.has_regex()) match->mutable_safe_regex()->set_regex(origin.regex());
  }
  for (const auto& origin : cors.allow_origin()) {
    out.add_allow_origin_string_match()->set_exact(origin);
  }
  join(cors.allow_methods(), *out.mutable_allow_methods());
  join(cors.allow_headers(), *out.mutable_allow_headers());
  join(cors.expose_headers(), *out.mutable_expose_headers());
  if (cors.has_max_age()) out.set_max_age(std::to_string(cors.max_age().seconds()));
  if (cors.has_allow_credentials()) {
    out.mutable_allow_credentials()->set_value(cors.allow_credentials());
  }
  out.mutable_forward_not_matching_preflights()->set_value(cors.unmatched_preflights() !=
                                                           api::CorsPolicy::IGNORE);
  constexpr uint32_t kAlways = 100;
  out.mutable_filter_enabled()->mutable_default_value()->set_numerator(kAlways);
  (*route.mutable_typed_per_filter_config())["envoy.filters.http.cors"] = pack(out);
}

}  // namespace sennit::mesh

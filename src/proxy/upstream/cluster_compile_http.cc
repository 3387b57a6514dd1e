#include <envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h>
#include <envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h>

#include <algorithm>

#include "proxy/config/any.h"
#include "proxy/upstream/cluster_compile.h"
#include "proxy/upstream/supported_fields.h"

namespace sennit::proxy {
namespace {

namespace core_v3 = envoy::config::core::v3;
using envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

constexpr std::string_view kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
// RFC 9113 §6.9.1, and Envoy's bounds.
constexpr uint32_t kMinHttp2Window = 65535, kMaxHttp2Number = 0x7fffffff;
constexpr uint32_t kMaxResponseHeadersKb = 8192;
constexpr int64_t kCenturySeconds = 100LL * 365 * 24 * 3600;

Status in_range(uint32_t value, uint32_t least, uint32_t most, const std::string& path) {
  if (value < least || value > most) return fail("{}: must be from {} to {}", path, least, most);
  return {};
}

Status compile_common(const core_v3::HttpProtocolOptions& common, const std::string& path,
                      ClusterInfo& info) {
  SENNIT_RETURN_IF_ERROR(
      only_fields(common, path,
                  {"idle_timeout", "max_connection_duration", "max_headers_count",
                   "max_response_headers_kb", "max_requests_per_connection"}));
  if (common.has_idle_timeout()) info.idle_timeout = duration(common.idle_timeout());
  info.max_connection_duration = duration(common.max_connection_duration());
  for (auto* options : {&info.http1_options, &info.http2_options}) {
    if (common.has_max_headers_count()) {
      options->limits.max_header_count = common.max_headers_count().value();
    }
    if (common.has_max_response_headers_kb()) {
      SENNIT_RETURN_IF_ERROR(in_range(common.max_response_headers_kb().value(), 1,
                                      kMaxResponseHeadersKb, path + ".max_response_headers_kb"));
      options->limits.max_header_bytes = common.max_response_headers_kb().value() * 1024;
    }
  }
  if (common.has_max_requests_per_connection()) {
    info.max_requests_per_connection = common.max_requests_per_connection().value();
  }
  return {};
}

Status compile_http1(const core_v3::Http1ProtocolOptions& from, const std::string& path,
                     http::CodecOptions& to) {
  SENNIT_RETURN_IF_ERROR(only_fields(from, path, {"enable_trailers", "header_key_format"}));
  to.enable_trailers = from.enable_trailers();
  if (!from.has_header_key_format()) return {};
  const std::string key_path = path + ".header_key_format";
  SENNIT_RETURN_IF_ERROR(only_fields(from.header_key_format(), key_path, {"stateful_formatter"}));
  auto formatter = unpack_any<PreserveCaseFormatterConfig>(
      from.header_key_format().stateful_formatter().typed_config());
  const std::string formatter_path = key_path + ".stateful_formatter.typed_config";
  if (!formatter) return std::unexpected(formatter.error().within(formatter_path));
  SENNIT_RETURN_IF_ERROR(only_fields(*formatter, formatter_path, {}));
  to.preserve_header_case = true;
  return {};
}

Status compile_http2(const core_v3::Http2ProtocolOptions& from, const std::string& path,
                     http::CodecOptions& to) {
  SENNIT_RETURN_IF_ERROR(
      only_fields(from, path,
                  {"hpack_table_size", "max_concurrent_streams", "initial_stream_window_size",
                   "initial_connection_window_size", "allow_connect"}));
  http::CodecLimits& limits = to.limits;
  if (from.has_hpack_table_size()) limits.hpack_table_size = from.hpack_table_size().value();
  if (from.has_max_concurrent_streams()) {
    SENNIT_RETURN_IF_ERROR(in_range(from.max_concurrent_streams().value(), 1, kMaxHttp2Number,
                                    path + ".max_concurrent_streams"));
    limits.max_concurrent_streams = from.max_concurrent_streams().value();
  }
  if (from.has_initial_stream_window_size()) {
    SENNIT_RETURN_IF_ERROR(in_range(from.initial_stream_window_size().value(), kMinHttp2Window,
                                    kMaxHttp2Number, path + ".initial_stream_window_size"));
    limits.initial_stream_window = from.initial_stream_window_size().value();
  }
  if (from.has_initial_connection_window_size()) {
    SENNIT_RETURN_IF_ERROR(in_range(from.initial_connection_window_size().value(), kMinHttp2Window,
                                    kMaxHttp2Number, path + ".initial_connection_window_size"));
    limits.initial_connection_window = from.initial_connection_window_size().value();
  }
  to.allow_connect = from.allow_connect();
  return {};
}

template <typename Config>
Status compile_both(const Config& config, const std::string& path, ClusterInfo& info) {
  SENNIT_RETURN_IF_ERROR(
      only_fields(config, path, {"http_protocol_options", "http2_protocol_options"}));
  SENNIT_RETURN_IF_ERROR(compile_http1(config.http_protocol_options(),
                                       path + ".http_protocol_options", info.http1_options));
  return compile_http2(config.http2_protocol_options(), path + ".http2_protocol_options",
                       info.http2_options);
}

Status compile_typed(const google::protobuf::Any& any, ClusterInfo& info, ClusterConfig& config) {
  const std::string path = fmt::format("typed_extension_protocol_options[{}]", kHttpOptions);
  HttpProtocolOptions options;
  if (!any.UnpackTo(&options)) return fail("{}: is a {}", path, any.type_url());
  SENNIT_RETURN_IF_ERROR(
      only_fields(options, path,
                  {"common_http_protocol_options", "upstream_http_protocol_options",
                   "explicit_http_config", "use_downstream_protocol_config", "auto_config"}));
  SENNIT_RETURN_IF_ERROR(compile_common(options.common_http_protocol_options(),
                                        path + ".common_http_protocol_options", info));
  SENNIT_RETURN_IF_ERROR(only_fields(options.upstream_http_protocol_options(),
                                     path + ".upstream_http_protocol_options", {"auto_sni"}));
  config.auto_sni = options.upstream_http_protocol_options().auto_sni();
  using Version = ClusterInfo::HttpVersion;
  switch (options.upstream_protocol_options_case()) {
    case HttpProtocolOptions::kUseDownstreamProtocolConfig:
      info.http_version = Version::Downstream;
      return compile_both(options.use_downstream_protocol_config(),
                          path + ".use_downstream_protocol_config", info);
    case HttpProtocolOptions::kAutoConfig:
      info.http_version = Version::Auto;
      return compile_both(options.auto_config(), path + ".auto_config", info);
    case HttpProtocolOptions::kExplicitHttpConfig:
      info.http_version = options.explicit_http_config().has_http2_protocol_options()
                              ? Version::Http2
                              : Version::Http1;
      return compile_both(options.explicit_http_config(), path + ".explicit_http_config", info);
    default:
      return fail(
          "{}: one of explicit_http_config, use_downstream_protocol_config, auto_config "
          "is required",
          path);
  }
}

}  // namespace

std::chrono::milliseconds duration(const google::protobuf::Duration& duration) {
  const int64_t seconds = std::clamp<int64_t>(duration.seconds(), 0, kCenturySeconds);
  return std::chrono::milliseconds(seconds * 1000 + duration.nanos() / 1'000'000);
}

Result<std::chrono::milliseconds> positive_duration(const google::protobuf::Duration& from,
                                                    std::string_view path) {
  const auto result = duration(from);
  if (result.count() <= 0) return fail("{}: must be at least a millisecond", path);
  return result;
}

Status compile_http(const envoy::config::cluster::v3::Cluster& cluster, ClusterInfo& info,
                    ClusterConfig& config) {
  if (cluster.has_max_requests_per_connection()) {
    info.max_requests_per_connection = cluster.max_requests_per_connection().value();
  }
  for (const auto& [name, any] : cluster.typed_extension_protocol_options()) {
    if (name != kHttpOptions)
      return fail("typed_extension_protocol_options[{}]: not supported", name);
    return compile_typed(any, info, config);
  }
  SENNIT_RETURN_IF_ERROR(
      compile_common(cluster.common_http_protocol_options(), "common_http_protocol_options", info));
  SENNIT_RETURN_IF_ERROR(only_fields(cluster.upstream_http_protocol_options(),
                                     "upstream_http_protocol_options", {"auto_sni"}));
  config.auto_sni = cluster.upstream_http_protocol_options().auto_sni();
  if (cluster.has_http2_protocol_options()) info.http_version = ClusterInfo::HttpVersion::Http2;
  if (cluster.protocol_selection() ==
      envoy::config::cluster::v3::Cluster::USE_DOWNSTREAM_PROTOCOL) {
    info.http_version = ClusterInfo::HttpVersion::Downstream;
  }
  SENNIT_RETURN_IF_ERROR(
      compile_http1(cluster.http_protocol_options(), "http_protocol_options", info.http1_options));
  return compile_http2(cluster.http2_protocol_options(), "http2_protocol_options",
                       info.http2_options);
}

}  // namespace sennit::proxy

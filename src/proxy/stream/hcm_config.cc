// Compiles an HttpConnectionManager resource into HcmSettings.
#include <envoy/extensions/request_id/uuid/v3/uuid.pb.h>

#include <algorithm>

#include "proxy/stream/hcm_settings.h"
#include "proxy/stream/http_filters.h"
#include "proxy/stream/supported_hcm_fields.h"

namespace sennit::proxy {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
using Config = hcm::HttpConnectionManager;
using std::chrono::milliseconds;

milliseconds to_ms(const google::protobuf::Duration& duration) {
  return milliseconds(duration.seconds() * 1000 + duration.nanos() / 1'000'000);
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

Status read_routes(const Config& config, HcmSettings& settings) {
  if (config.has_rds()) {
    settings.rds = config.rds().route_config_name();
    if (settings.rds.empty()) return fail("rds.route_config_name: is empty");
    return {};
  }
  if (!config.has_route_config()) return fail("route_specifier: rds or route_config is needed");
  auto table = RouteTable::create(config.route_config());
  if (!table) return std::unexpected(table.error().within("route_config"));
  settings.routes = std::move(*table);
  return {};
}

Status read_forwarding(const Config& config, HcmSettings& settings) {
  settings.use_remote_address = config.use_remote_address().value();
  settings.xff_trusted_hops = config.xff_num_trusted_hops();
  settings.skip_xff_append = config.skip_xff_append();
  settings.append_x_forwarded_port = config.append_x_forwarded_port();
  settings.via = config.via();
  settings.generate_request_id =
      !config.has_generate_request_id() || config.generate_request_id().value();
  settings.preserve_external_request_id = config.preserve_external_request_id();
  settings.request_id_in_response = config.always_set_request_id_in_response();
  settings.forward_client_cert =
      static_cast<ForwardClientCert>(config.forward_client_cert_details());
  const auto& details = config.set_current_client_cert_details();
  settings.client_cert_details = {details.subject().value(), details.cert(), details.uri(),
                                  details.dns()};
  settings.internal_unix_sockets = config.internal_address_config().unix_sockets();
  for (const auto& range : config.internal_address_config().cidr_ranges()) {
    auto cidr = net::Cidr::parse(range.address_prefix(), range.prefix_len().value());
    if (!cidr) return std::unexpected(cidr.error().within("internal_address_config.cidr_ranges"));
    settings.internal_ranges.push_back(*cidr);
  }
  if (!config.request_id_extension().has_typed_config()) return {};
  // Both of its settings are about traces, which need a provider to be sampled for.
  using Uuid = envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig;
  Uuid uuid;
  if (!config.request_id_extension().typed_config().UnpackTo(&uuid)) {
    return fail("request_id_extension.typed_config: {} is not supported",
                config.request_id_extension().typed_config().type_url());
  }
  return {};
}

void read_paths_and_hosts(const Config& config, HcmSettings& settings) {
  settings.normalize_path = config.normalize_path().value();
  settings.merge_slashes = config.merge_slashes();
  switch (config.path_with_escaped_slashes_action()) {
    case Config::REJECT_REQUEST:
      settings.escaped_slashes = EscapedSlashes::Reject;
      break;
    case Config::UNESCAPE_AND_REDIRECT:
      settings.escaped_slashes = EscapedSlashes::UnescapeAndRedirect;
      break;
    case Config::UNESCAPE_AND_FORWARD:
      settings.escaped_slashes = EscapedSlashes::UnescapeAndForward;
      break;
    default:
      break;
  }
  if (config.strip_any_host_port()) {
    settings.strip_port = StripPort::Any;
  } else if (config.strip_matching_host_port()) {
    settings.strip_port = StripPort::Matching;
  }
  settings.strip_trailing_host_dot = config.strip_trailing_host_dot();
  settings.scheme_to_overwrite = config.scheme_header_transformation().scheme_to_overwrite();
  if (!config.server_name().empty()) settings.server_name = config.server_name();
  settings.server_header = static_cast<ServerHeader>(config.server_header_transformation());
  settings.proxy_100_continue = config.proxy_100_continue();
  for (const auto& upgrade : config.upgrade_configs()) {
    const bool enabled = !upgrade.has_enabled() || upgrade.enabled().value();
    if (enabled) settings.upgrades.push_back(lower_case(upgrade.upgrade_type()));
  }
}

void read_timeouts(const Config& config, HcmSettings& settings) {
  const auto set = [](milliseconds& target, bool present,
                      const google::protobuf::Duration& duration) {
    if (present) target = to_ms(duration);
  };
  set(settings.stream_idle_timeout, config.has_stream_idle_timeout(), config.stream_idle_timeout());
  set(settings.request_timeout, config.has_request_timeout(), config.request_timeout());
  set(settings.request_headers_timeout, config.has_request_headers_timeout(),
      config.request_headers_timeout());
  set(settings.drain_timeout, config.has_drain_timeout(), config.drain_timeout());
  const auto& common = config.common_http_protocol_options();
  set(settings.idle_timeout, common.has_idle_timeout(), common.idle_timeout());
  set(settings.max_connection_duration, common.has_max_connection_duration(),
      common.max_connection_duration());
  set(settings.max_stream_duration, common.has_max_stream_duration(), common.max_stream_duration());
  settings.max_requests_per_connection = common.max_requests_per_connection().value();
}

Status read_http1(const Config& config, HcmSettings& settings) {
  const auto& http1 = config.http_protocol_options();
  settings.http1.accept_http10 = http1.accept_http_10();
  settings.http1.default_host_for_http10 = http1.default_host_for_http_10();
  settings.http1.allow_absolute_url =
      !http1.has_allow_absolute_url() || http1.allow_absolute_url().value();
  settings.http1.enable_trailers = http1.enable_trailers();
  if (!http1.has_header_key_format()) return {};
  constexpr std::string_view kPreserve =
      "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3."
      "PreserveCaseFormatterConfig";
  const auto& url = http1.header_key_format().stateful_formatter().typed_config().type_url();
  if (url != kPreserve) {
    return fail("http_protocol_options.header_key_format.stateful_formatter: {} is not supported",
                url);
  }
  settings.http1.preserve_header_case = true;
  return {};
}

void read_http2(const Config& config, HcmSettings& settings) {
  const auto& http2 = config.http2_protocol_options();
  auto& limits = settings.http2.limits;
  const auto set = [](uint32_t& target, const google::protobuf::UInt32Value& value, bool present) {
    if (present) target = value.value();
  };
  set(limits.max_concurrent_streams, http2.max_concurrent_streams(),
      http2.has_max_concurrent_streams());
  set(limits.initial_stream_window, http2.initial_stream_window_size(),
      http2.has_initial_stream_window_size());
  set(limits.initial_connection_window, http2.initial_connection_window_size(),
      http2.has_initial_connection_window_size());
  set(limits.hpack_table_size, http2.hpack_table_size(), http2.has_hpack_table_size());
  settings.http2.allow_connect = http2.allow_connect() || !settings.upgrades.empty();
}

Status read_codecs(const Config& config, HcmSettings& settings) {
  switch (config.codec_type()) {
    case Config::HTTP1:
      settings.codec_type = CodecType::Http1;
      break;
    case Config::HTTP2:
      settings.codec_type = CodecType::Http2;
      break;
    case Config::AUTO:
      break;
    default:
      return fail("codec_type: HTTP3 is not supported");
  }
  if (auto ok = read_http1(config, settings); !ok) return ok;
  read_http2(config, settings);
  const auto& common = config.common_http_protocol_options();
  for (auto* limits : {&settings.http1.limits, &settings.http2.limits}) {
    if (config.has_max_request_headers_kb()) {
      limits->max_header_bytes = config.max_request_headers_kb().value() * 1024;
    }
    if (common.has_max_headers_count()) {
      limits->max_header_count = common.max_headers_count().value();
    }
  }
  settings.underscore_headers =
      static_cast<UnderscoreHeaders>(common.headers_with_underscores_action());
  return {};
}

Status read_logs_and_replies(const Config& config, HcmSettings& settings) {
  for (int i = 0; i < config.access_log_size(); ++i) {
    auto log = make_access_log(config.access_log(i));
    if (!log) return std::unexpected(log.error().within(fmt::format("access_log[{}]", i)));
    settings.access_logs.push_back(std::move(*log));
  }
  if (!config.local_reply_config().has_body_format()) return {};
  const auto& body = config.local_reply_config().body_format();
  if (body.has_text_format_source() && !body.text_format_source().has_inline_string()) {
    return fail(
        "local_reply_config.body_format.text_format_source: only inline_string is supported");
  }
  const std::string& text = body.has_text_format_source()
                                ? body.text_format_source().inline_string()
                                : body.text_format();
  auto format = make_local_reply_format(text, body.content_type());
  if (!format) return std::unexpected(format.error().within("local_reply_config.body_format"));
  settings.local_reply = std::move(*format);
  return {};
}

}  // namespace

Result<std::shared_ptr<const HcmConfig>> HcmConfig::create(const Config& config,
                                                           const FilterBuildContext& context) {
  if (auto ok = refuse_unsupported(config, supported_hcm_fields()); !ok) {
    return std::unexpected(ok.error());
  }
  if (config.stat_prefix().empty()) return fail("stat_prefix: is empty");
  auto settings = std::make_shared<HcmSettings>(context.stats, config.stat_prefix());
  FilterBuildContext filters{context.stats, context.node, context.direction, config.stat_prefix()};
  read_timeouts(config, *settings);
  read_paths_and_hosts(config, *settings);
  for (auto ok : {read_routes(config, *settings), read_forwarding(config, *settings),
                  read_codecs(config, *settings), read_logs_and_replies(config, *settings),
                  build_http_filters(config, filters, *settings)}) {
    if (!ok) return std::unexpected(ok.error());
  }
  return settings;
}

}  // namespace sennit::proxy

#include "proxy/stream/supported_hcm_fields.h"

#define HCM "envoy.extensions.filters.network.http_connection_manager.v3."
#define CORE "envoy.config.core.v3."

namespace sennit::proxy {

const SupportedFields& supported_hcm_fields() {
  static const SupportedFields fields = {
      {HCM "HttpConnectionManager",
       {"codec_type",
        "stat_prefix",
        "rds",
        "route_config",
        "http_filters",
        "tracing",
        "common_http_protocol_options",
        "http_protocol_options",
        "http2_protocol_options",
        "server_name",
        "server_header_transformation",
        "scheme_header_transformation",
        "max_request_headers_kb",
        "stream_idle_timeout",
        "request_timeout",
        "request_headers_timeout",
        "drain_timeout",
        "access_log",
        "use_remote_address",
        "xff_num_trusted_hops",
        "internal_address_config",
        "skip_xff_append",
        "via",
        "generate_request_id",
        "preserve_external_request_id",
        "always_set_request_id_in_response",
        "forward_client_cert_details",
        "set_current_client_cert_details",
        "proxy_100_continue",
        "upgrade_configs",
        "normalize_path",
        "merge_slashes",
        "path_with_escaped_slashes_action",
        "request_id_extension",
        "local_reply_config",
        "strip_matching_host_port",
        "strip_any_host_port",
        "strip_trailing_host_dot",
        "append_x_forwarded_port"}},
      // Sampling decides for exporters, which need a provider; alone it changes nothing.
      {HCM "HttpConnectionManager.Tracing",
       {"client_sampling", "random_sampling", "overall_sampling", "custom_tags", "verbose",
        "max_path_tag_length"}},
      {HCM "HttpConnectionManager.SetCurrentClientCertDetails", {"subject", "cert", "dns", "uri"}},
      {HCM "HttpConnectionManager.UpgradeConfig", {"upgrade_type", "enabled"}},
      {HCM "HttpConnectionManager.InternalAddressConfig", {"unix_sockets", "cidr_ranges"}},
      {HCM "LocalReplyConfig", {"body_format"}},
      {HCM "HttpFilter", {"name", "typed_config", "is_optional"}},
      {CORE "SubstitutionFormatString", {"text_format", "text_format_source", "content_type"}},
      {CORE "HttpProtocolOptions",
       {"idle_timeout", "max_connection_duration", "max_headers_count", "max_stream_duration",
        "headers_with_underscores_action", "max_requests_per_connection"}},
      {CORE "Http1ProtocolOptions",
       {"allow_absolute_url", "accept_http_10", "default_host_for_http_10", "header_key_format",
        "enable_trailers"}},
      {CORE "Http1ProtocolOptions.HeaderKeyFormat", {"stateful_formatter"}},
      {CORE "Http2ProtocolOptions",
       {"hpack_table_size", "max_concurrent_streams", "initial_stream_window_size",
        "initial_connection_window_size", "allow_connect"}},
      {CORE "SchemeHeaderTransformation", {"scheme_to_overwrite"}},
  };
  return fields;
}

}  // namespace sennit::proxy

// An HttpConnectionManager resource, compiled: what the code of this room reads per connection and
// per request. Immutable after HcmConfig::create, shared by the workers. Durations of zero mean
// "none" unless said otherwise.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/codec.h"
#include "net/address.h"
#include "proxy/filter/filter.h"
#include "proxy/stream/hcm_stats.h"
#include "proxy/stream/http_connection_manager.h"
#include "proxy/stream/local_reply.h"
#include "proxy/telemetry/access_log.h"

namespace sennit::proxy {

enum class CodecType : uint8_t { Auto, Http1, Http2 };
enum class ForwardClientCert : uint8_t {
  Sanitize,
  ForwardOnly,
  AppendForward,
  SanitizeSet,
  AlwaysForwardOnly,
};
enum class ServerHeader : uint8_t { Overwrite, AppendIfAbsent, PassThrough };
enum class EscapedSlashes : uint8_t { Keep, Reject, UnescapeAndRedirect, UnescapeAndForward };
enum class UnderscoreHeaders : uint8_t { Allow, Reject, Drop };
enum class StripPort : uint8_t { None, Matching, Any };

// Which fields of the client's certificate go into x-forwarded-client-cert.
struct ClientCertDetails {
  bool subject = false, cert = false, uri = false, dns = false;
};

struct RouterSettings {
  bool suppress_envoy_headers = false;
};

struct FilterEntry {
  std::string name;  // routes refer to it in typed_per_filter_config
  std::unique_ptr<FilterFactory> factory;
  uint32_t hooks = 0;
};

class HcmSettings final : public HcmConfig {
 public:
  HcmSettings(stats::Registry& registry, std::string_view prefix)
      : stat_prefix(prefix), stats(registry, prefix) {}

  const std::string& rds_name() const override { return rds; }
  const std::shared_ptr<const RouteTable>& inline_routes() const override { return routes; }

  std::string stat_prefix;
  HcmStats stats;
  std::string rds;
  std::shared_ptr<const RouteTable> routes;
  std::vector<FilterEntry> filters;  // without the router, which is last and built in
  uint32_t filter_hooks = 0;         // of all of them
  RouterSettings router;
  std::vector<std::shared_ptr<const AccessLog>> access_logs;

  CodecType codec_type = CodecType::Auto;
  http::CodecOptions http1, http2;

  bool use_remote_address = false;
  uint32_t xff_trusted_hops = 0;
  bool skip_xff_append = false;
  bool append_x_forwarded_port = false;
  bool internal_unix_sockets = false;
  std::vector<net::Cidr> internal_ranges;
  std::string via;
  bool generate_request_id = true;
  bool preserve_external_request_id = false;
  bool request_id_in_response = false;
  ForwardClientCert forward_client_cert = ForwardClientCert::Sanitize;
  ClientCertDetails client_cert_details;
  std::string server_name = "envoy";
  ServerHeader server_header = ServerHeader::Overwrite;
  std::string scheme_to_overwrite;

  bool normalize_path = false;
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::Keep;
  StripPort strip_port = StripPort::None;
  bool strip_trailing_host_dot = false;
  UnderscoreHeaders underscore_headers = UnderscoreHeaders::Allow;
  bool proxy_100_continue = false;
  std::vector<std::string> upgrades;  // lower case, enabled here

  std::chrono::milliseconds stream_idle_timeout{300'000};
  std::chrono::milliseconds request_timeout{0};
  std::chrono::milliseconds request_headers_timeout{0};
  std::chrono::milliseconds max_stream_duration{0};
  std::chrono::milliseconds idle_timeout{3'600'000};
  std::chrono::milliseconds max_connection_duration{0};
  std::chrono::milliseconds drain_timeout{5'000};
  uint32_t max_requests_per_connection = 0;  // 0: unlimited

  LocalReplyFormat local_reply;
};

}  // namespace sennit::proxy

#include "mesh/translate/access_log.h"

#include <envoy/extensions/access_loggers/file/v3/file.pb.h>
#include <google/protobuf/util/json_util.h>

namespace sennit::mesh {

namespace {

// Istio's default line, and the same operators for JSON.
constexpr const char* kTextFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    "\"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
    "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% "
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

constexpr std::pair<const char*, const char*> kJsonFormat[] = {
    {"start_time", "%START_TIME%"},
    {"route_name", "%ROUTE_NAME%"},
    {"method", "%REQ(:METHOD)%"},
    {"path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"},
    {"protocol", "%PROTOCOL%"},
    {"response_code", "%RESPONSE_CODE%"},
    {"response_flags", "%RESPONSE_FLAGS%"},
    {"response_code_details", "%RESPONSE_CODE_DETAILS%"},
    {"connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"},
    {"bytes_received", "%BYTES_RECEIVED%"},
    {"bytes_sent", "%BYTES_SENT%"},
    {"duration", "%DURATION%"},
    {"upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"},
    {"x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"},
    {"user_agent", "%REQ(USER-AGENT)%"},
    {"request_id", "%REQ(X-REQUEST-ID)%"},
    {"authority", "%REQ(:AUTHORITY)%"},
    {"upstream_host", "%UPSTREAM_HOST%"},
    {"upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"},
    {"upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"},
    {"downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"},
    {"downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"},
    {"requested_server_name", "%REQUESTED_SERVER_NAME%"},
    {"upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"},
};

envoy::config::accesslog::v3::AccessLog make_log(const Mesh& mesh) {
  const auto& config = mesh.config();
  envoy::extensions::access_loggers::file::v3::FileAccessLog file;
  file.set_path(config.access_log_file());
  auto* format = file.mutable_log_format();
  if (config.access_log_encoding() == api::MeshConfig::JSON) {
    auto& json = *format->mutable_json_format();
    // A format of the user's own is a JSON object; validation has seen that it is one.
    bool own = !config.access_log_format().empty() &&
               google::protobuf::util::JsonStringToMessage(config.access_log_format(), &json).ok();
    if (!own) {
      json.Clear();
      for (const auto& [key, value] : kJsonFormat) {
        (*json.mutable_fields())[key] = string_value(value);
      }
    }
  } else {
    std::string line = config.access_log_format();
    if (line.empty()) line = kTextFormat;
    if (!line.ends_with("\n")) line += "\n";
    format->mutable_text_format_source()->set_inline_string(line);
  }
  envoy::config::accesslog::v3::AccessLog log;
  log.set_name("envoy.access_loggers.file");
  *log.mutable_typed_config() = pack(file);
  return log;
}

}  // namespace

void add_access_log(const Mesh& mesh, AccessLogs& logs) {
  if (!mesh.config().access_log_file().empty()) *logs.Add() = make_log(mesh);
}

void add_listener_access_log(const Mesh& mesh, AccessLogs& logs) {
  if (mesh.config().access_log_file().empty()) return;
  auto* log = logs.Add();
  *log = make_log(mesh);
  log->mutable_filter()->mutable_response_flag_filter()->add_flags("NR");
}

}  // namespace sennit::mesh

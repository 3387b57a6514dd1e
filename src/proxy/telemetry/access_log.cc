#include "proxy/telemetry/access_log.h"

#include <envoy/extensions/access_loggers/file/v3/file.pb.h>
#include <envoy/extensions/access_loggers/stream/v3/stream.pb.h>

#include "proxy/match/field_path.h"
#include "proxy/match/supported_fields.h"
#include "proxy/telemetry/json_formatter.h"
#include "proxy/telemetry/log_filter.h"
#include "proxy/telemetry/log_writer.h"

namespace sennit::proxy {
namespace {

using envoy::config::core::v3::SubstitutionFormatString;
using envoy::extensions::access_loggers::file::v3::FileAccessLog;
using envoy::extensions::access_loggers::stream::v3::StderrAccessLog;
using envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;
using FormatterPtr = std::shared_ptr<const Formatter>;

// Envoy's, for a log without a format.
constexpr std::string_view kDefaultFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
    "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";
constexpr size_t kTypicalLine = 512;  // bytes reserved for one

const SupportedFields& supported_fields() {
  static const SupportedFields fields = {
      {"envoy.config.core.v3.SubstitutionFormatString",
       {"text_format", "text_format_source", "json_format", "omit_empty_values",
        "json_format_options"}},
      {"envoy.config.core.v3.DataSource", {"inline_string", "inline_bytes"}},
      {"envoy.config.accesslog.v3.RuntimeFilter",
       {"runtime_key", "percent_sampled", "use_independent_randomness"}},
  };
  return fields;
}

class FileLog final : public AccessLog {
 public:
  FileLog(LogFile& file, FormatterPtr formatter, std::unique_ptr<const LogFilter> filter)
      : file_(file), formatter_(std::move(formatter)), filter_(std::move(filter)) {}

  void log(const StreamInfo& info, const http::HeaderMap* request, const http::HeaderMap* response,
           const http::HeaderMap* trailers) const override {
    if (filter_ && !filter_->passes(info, request)) return;
    thread_local std::string line;
    line.clear();
    line.reserve(kTypicalLine);
    formatter_->format(line, info, request, response, trailers);
    file_.write(line);
  }

 private:
  LogFile& file_;
  const FormatterPtr formatter_;
  const std::unique_ptr<const LogFilter> filter_;
};

Result<FormatterPtr> make_formatter(const SubstitutionFormatString& format) {
  const MissingValue missing = format.omit_empty_values() ? MissingValue::Omit : MissingValue::Dash;
  switch (format.format_case()) {
    case SubstitutionFormatString::kTextFormat:
      return Formatter::create(format.text_format(), missing);
    case SubstitutionFormatString::kTextFormatSource:
      return Formatter::create(format.text_format_source().inline_string().empty()
                                   ? format.text_format_source().inline_bytes()
                                   : format.text_format_source().inline_string(),
                               missing);
    case SubstitutionFormatString::kJsonFormat:
      return make_json_formatter(format.json_format(), {.omit_empty = format.omit_empty_values()});
    default:
      return Formatter::create(kDefaultFormat);
  }
}

Result<FormatterPtr> make_formatter(const FileAccessLog& config) {
  switch (config.access_log_format_case()) {
    case FileAccessLog::kFormat:
      return Formatter::create(config.format());
    case FileAccessLog::kJsonFormat:
      return make_json_formatter(config.json_format(), {.strings_only = true});
    case FileAccessLog::kTypedJsonFormat:
      return make_json_formatter(config.typed_json_format(), {});
    case FileAccessLog::kLogFormat:
      return make_formatter(config.log_format());
    default:
      return Formatter::create(kDefaultFormat);
  }
}

struct Target {
  std::string path;
  FormatterPtr formatter;
};

Result<Target> make_target(std::string path, Result<FormatterPtr> formatter) {
  if (!formatter) return std::unexpected(in_field(formatter.error(), "typed_config.log_format"));
  return Target{std::move(path), *std::move(formatter)};
}

// Unpacks one of the known loggers, with its unsupported fields refused.
template <typename Config>
Result<Config> unpack(const google::protobuf::Any& any) {
  Config config;
  if (!any.UnpackTo(&config)) return fail("typed_config: does not parse as {}", any.type_url());
  auto ok = refuse_unsupported(config, supported_fields(), "typed_config");
  if (!ok) return std::unexpected(ok.error());
  return config;
}

Result<Target> find_target(const google::protobuf::Any& any) {
  if (any.Is<FileAccessLog>()) {
    auto config = unpack<FileAccessLog>(any);
    if (!config) return std::unexpected(config.error());
    if (config->path().empty()) return fail("typed_config.path: is required");
    return make_target(config->path(), make_formatter(*config));
  }
  if (any.Is<StdoutAccessLog>()) {
    auto config = unpack<StdoutAccessLog>(any);
    if (!config) return std::unexpected(config.error());
    return make_target("/dev/stdout", make_formatter(config->log_format()));
  }
  if (any.Is<StderrAccessLog>()) {
    auto config = unpack<StderrAccessLog>(any);
    if (!config) return std::unexpected(config.error());
    return make_target("/dev/stderr", make_formatter(config->log_format()));
  }
  return fail("typed_config: {} is not supported", any.type_url());
}

}  // namespace

Result<std::shared_ptr<const AccessLog>> make_access_log(
    const envoy::config::accesslog::v3::AccessLog& config) {
  if (auto ok = refuse_unsupported(config, supported_fields()); !ok)
    return std::unexpected(ok.error());
  auto target = find_target(config.typed_config());
  if (!target) return std::unexpected(target.error());
  std::unique_ptr<const LogFilter> filter;
  if (config.has_filter()) {
    auto made = LogFilter::create(config.filter());
    if (!made) return std::unexpected(in_field(made.error(), "filter"));
    filter = *std::move(made);
  }
  auto file = LogWriter::instance().open(target->path);
  if (!file) return std::unexpected(file.error());
  return std::make_shared<FileLog>(**file, std::move(target->formatter), std::move(filter));
}

}  // namespace sennit::proxy

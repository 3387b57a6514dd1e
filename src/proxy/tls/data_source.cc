#include "proxy/tls/data_source.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace sennit::proxy {

using envoy::config::core::v3::DataSource;

Result<std::string> read_data_source(const DataSource& source) {
  switch (source.specifier_case()) {
    case DataSource::kInlineBytes:
      return source.inline_bytes();
    case DataSource::kInlineString:
      return source.inline_string();
    case DataSource::kEnvironmentVariable: {
      const char* value = std::getenv(source.environment_variable().c_str());
      if (!value) return fail("environment variable {} is not set", source.environment_variable());
      return std::string(value);
    }
    case DataSource::kFilename: {
      std::ifstream file(source.filename(), std::ios::binary);
      if (!file) return fail("cannot read {}: {}", source.filename(), std::strerror(errno));
      return std::string(std::istreambuf_iterator<char>(file), {});
    }
    case DataSource::SPECIFIER_NOT_SET:
      break;
  }
  return std::string();
}

}  // namespace sennit::proxy

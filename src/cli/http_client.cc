#include "cli/http_client.h"

#include <httplib.h>

namespace sennit::cli {
namespace {

httplib::Client connect(const std::string& base, std::chrono::milliseconds timeout) {
  httplib::Client client("http://" + base);
  client.set_connection_timeout(timeout);
  client.set_read_timeout(timeout);
  client.set_write_timeout(timeout);
  return client;
}

Result<HttpAnswer> answer(const std::string& base, const httplib::Result& result) {
  if (!result)
    return fail("no answer from http://{} ({}): is it running, and is the address right?", base,
                httplib::to_string(result.error()));
  return HttpAnswer{result->status, result->body};
}

}  // namespace

Result<HttpAnswer> http_get(const std::string& base, const std::string& path,
                            std::chrono::milliseconds timeout) {
  return answer(base, connect(base, timeout).Get(path));
}

Result<HttpAnswer> http_post(const std::string& base, const std::string& path,
                             const std::string& body,
                             const std::map<std::string, std::string>& headers,
                             std::chrono::milliseconds timeout) {
  httplib::Headers sent(headers.begin(), headers.end());
  return answer(base, connect(base, timeout).Post(path, sent, body, "application/yaml"));
}

}  // namespace sennit::cli

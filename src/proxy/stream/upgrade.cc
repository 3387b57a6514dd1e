#include "proxy/stream/upgrade.h"

namespace sennit::proxy {

using http::HeaderId;

void upgrade_request_to_http2(http::HeaderMap& request, std::string_view upgrade) {
  request.remove(HeaderId::Connection);
  request.remove(HeaderId::Upgrade);
  request.remove(HeaderId::ContentLength);
  request.set(HeaderId::Method, "CONNECT");
  request.set(HeaderId::PseudoProtocol, upgrade);
}

void upgrade_response_from_http2(http::HeaderMap& response, std::string_view upgrade) {
  const int status = response.status();
  if (status < 200 || status > 299) return;
  response.set(HeaderId::Status, "101");
  response.set(HeaderId::Connection, "upgrade");
  response.set(HeaderId::Upgrade, upgrade);
}

void upgrade_response_to_http2(http::HeaderMap& response) {
  response.set(HeaderId::Status, "200");
  response.remove(HeaderId::Connection);
  response.remove(HeaderId::Upgrade);
}

}  // namespace sennit::proxy

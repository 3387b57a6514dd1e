#include "http/codec.h"

namespace sennit::http {

std::string_view protocol_name(Protocol protocol) {
  switch (protocol) {
    case Protocol::Http10:
      return "HTTP/1.0";
    case Protocol::Http11:
      return "HTTP/1.1";
    case Protocol::Http2:
      return "HTTP/2";
  }
  return "";
}

}  // namespace sennit::http

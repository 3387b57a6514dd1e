#include "proxy/listener/http_inspector.h"

#include <algorithm>

namespace sennit::proxy {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

bool is_method_character(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || c == '-';
}

}  // namespace

Inspection inspect_http(std::string_view bytes, std::string_view& protocol) {
  if (bytes.empty()) return Inspection::NeedMore;
  const size_t compared = std::min(bytes.size(), kHttp2Preface.size());
  if (bytes.substr(0, compared) == kHttp2Preface.substr(0, compared)) {
    if (bytes.size() < kHttp2Preface.size()) return Inspection::NeedMore;
    protocol = "h2c";
    return Inspection::Found;
  }
  // "METHOD SP target SP HTTP/1.x": a method that is none is known at its first byte.
  const size_t method_end = bytes.find(' ');
  const auto method = bytes.substr(0, method_end);
  constexpr size_t kMaxMethod = 32;
  if (method.empty() || method.size() > kMaxMethod ||
      !std::all_of(method.begin(), method.end(), is_method_character)) {
    return Inspection::NotThis;
  }
  const size_t line_end = bytes.find('\n');
  if (line_end == bytes.npos) {
    return bytes.size() < kMaxInspectedRequestLine ? Inspection::NeedMore : Inspection::NotThis;
  }
  auto line = bytes.substr(0, line_end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.ends_with(" HTTP/1.1")) {
    protocol = "http/1.1";
  } else if (line.ends_with(" HTTP/1.0")) {
    protocol = "http/1.0";
  } else {
    return Inspection::NotThis;
  }
  return Inspection::Found;
}

}  // namespace sennit::proxy

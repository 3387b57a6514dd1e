#include "http/http1/encode.h"

#include <charconv>
#include <cstring>

namespace sennit::http::http1 {
namespace {

// Bytes into reserved room; the caller has counted them.
class Writer {
 public:
  explicit Writer(char* to) : begin_(to), to_(to) {}
  void put(std::string_view text) {
    std::memcpy(to_, text.data(), text.size());
    to_ += text.size();
  }
  void field(std::string_view name, std::string_view value) {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }
  size_t written() const { return static_cast<size_t>(to_ - begin_); }

 private:
  char* begin_;
  char* to_;
};

// Fields of one hop, which the codec writes itself where they belong, and pseudo-fields.
bool is_hop_field(const HeaderMap::Field& field, const HeadOptions& options) {
  switch (field.id) {
    case HeaderId::Authority:
    case HeaderId::Method:
    case HeaderId::Path:
    case HeaderId::Scheme:
    case HeaderId::Status:
    case HeaderId::PseudoProtocol:
    case HeaderId::Connection:
    case HeaderId::KeepAlive:
    case HeaderId::ProxyConnection:
    case HeaderId::TransferEncoding:
    case HeaderId::Te:
      return true;
    case HeaderId::Upgrade:
      return options.connection != ConnectionField::Upgrade;
    case HeaderId::ContentLength:
      return options.drop_length;
    default:
      return false;
  }
}

void write_fields(Writer& writer, const HeaderMap& headers, const HeadOptions& options,
                  bool skip_host) {
  for (size_t i = 0; i < headers.size(); ++i) {
    const HeaderMap::Field field = headers[i];
    if (is_hop_field(field, options) || (skip_host && field.id == HeaderId::Host)) continue;
    writer.field(options.raw_names ? headers.raw_name(i) : field.name, field.value);
  }
  if (options.framing == Framing::Chunked) writer.put("transfer-encoding: chunked\r\n");
  if (options.framing == Framing::LengthZero) writer.put("content-length: 0\r\n");
}

void write_connection(Writer& writer, ConnectionField connection, bool te) {
  switch (connection) {
    case ConnectionField::None:
      if (te) writer.put("connection: te\r\n");
      return;
    case ConnectionField::Close:
      return writer.put(te ? "connection: te, close\r\n" : "connection: close\r\n");
    case ConnectionField::KeepAlive:
      return writer.put("connection: keep-alive\r\n");
    case ConnectionField::Upgrade:
      return writer.put("connection: upgrade\r\n");
  }
}

// What a head can need at most besides names and values.
constexpr size_t kHeadOverhead = 256;
size_t head_bound(const HeaderMap& headers) {
  return headers.byte_size() + 4 * headers.size() + kHeadOverhead;
}

}  // namespace

void write_request_head(net::Buffer& output, const HeaderMap& headers, const HeadOptions& options) {
  Writer writer(output.reserve(head_bound(headers) + 1));
  const std::string_view method = headers.method();
  const std::string_view authority = headers.authority();
  const std::string_view path = headers.path();
  writer.put(method);
  writer.put(" ");
  writer.put(method == "CONNECT" ? authority : path.empty() ? "/" : path);
  writer.put(" HTTP/1.1\r\n");
  const bool has_authority = headers.has(HeaderId::Authority);
  if (has_authority) writer.field(options.raw_names ? "Host" : "host", authority);
  write_fields(writer, headers, options, has_authority);
  const bool te =
      headers.get(HeaderId::Te) == "trailers" && options.connection != ConnectionField::Upgrade;
  if (te) writer.put("te: trailers\r\n");
  write_connection(writer, options.connection, te);
  writer.put("\r\n");
  output.commit(writer.written());
}

void write_response_head(net::Buffer& output, const HeaderMap& headers,
                         const HeadOptions& options) {
  Writer writer(output.reserve(head_bound(headers)));
  const int status = headers.status();
  char digits[3] = {static_cast<char>('0' + status / 100 % 10),
                    static_cast<char>('0' + status / 10 % 10),
                    static_cast<char>('0' + status % 10)};
  writer.put(options.http10 ? "HTTP/1.0 " : "HTTP/1.1 ");
  writer.put({digits, 3});
  writer.put(" ");
  writer.put(reason_phrase(status));
  writer.put("\r\n");
  write_fields(writer, headers, options, false);
  write_connection(writer, options.connection, false);
  writer.put("\r\n");
  output.commit(writer.written());
}

void write_chunk(net::Buffer& output, std::string_view data) {
  if (data.empty()) return;  // an empty chunk would be the last
  char* to = output.reserve(data.size() + 20);
  Writer writer(to);
  char size[16];
  const auto end = std::to_chars(size, size + sizeof size, data.size(), 16).ptr;
  writer.put({size, static_cast<size_t>(end - size)});
  writer.put("\r\n");
  writer.put(data);
  writer.put("\r\n");
  output.commit(writer.written());
}

void write_last_chunk(net::Buffer& output, const HeaderMap* trailers) {
  if (trailers == nullptr) return output.append("0\r\n\r\n");
  Writer writer(output.reserve(head_bound(*trailers)));
  writer.put("0\r\n");
  HeadOptions options;
  options.drop_length = true;
  write_fields(writer, *trailers, options, true);
  writer.put("\r\n");
  output.commit(writer.written());
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 207:
      return "Multi-Status";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Entity";
    case 423:
      return "Locked";
    case 424:
      return "Failed Dependency";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    case 511:
      return "Network Authentication Required";
    default:
      return "Unknown";
  }
}

}  // namespace sennit::http::http1

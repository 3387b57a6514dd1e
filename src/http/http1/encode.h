// Writes HTTP/1 heads, trailers and chunks into a connection's output, with no strings in between.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/header_map.h"
#include "net/buffer.h"

namespace sennit::http::http1 {

// The field that frames the body, besides a Content-Length that the map may hold.
enum class Framing : uint8_t { AsIs, Chunked, LengthZero };
enum class ConnectionField : uint8_t { None, Close, KeepAlive, Upgrade };

struct HeadOptions {
  Framing framing = Framing::AsIs;
  ConnectionField connection = ConnectionField::None;
  bool http10 = false;       // the status line says HTTP/1.0
  bool raw_names = false;    // write names as they were sent, where that was kept
  bool drop_length = false;  // the map's Content-Length does not belong there
};

// "POST /path HTTP/1.1", with Host from :authority.
void write_request_head(net::Buffer& output, const HeaderMap& headers, const HeadOptions& options);
// "HTTP/1.1 200 OK", or HTTP/1.0.
void write_response_head(net::Buffer& output, const HeaderMap& headers, const HeadOptions& options);
void write_chunk(net::Buffer& output, std::string_view data);
// The last chunk, with `trailers` (nullptr: none).
void write_last_chunk(net::Buffer& output, const HeaderMap* trailers);

// "Not Found"; "Unknown" for codes that have no phrase.
std::string_view reason_phrase(int status);

}  // namespace sennit::http::http1

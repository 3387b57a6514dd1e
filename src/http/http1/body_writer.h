// The body of an outgoing HTTP/1 message: chunked, counted against its Content-Length, or raw.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "http/http1/encode.h"
#include "net/buffer.h"

namespace sennit::http::http1 {

class BodyWriter {
 public:
  enum class Mode : uint8_t { None, Length, Chunked, Raw };

  void begin(Mode mode, uint64_t length) {
    mode_ = mode;
    remaining_ = length;
  }
  Mode mode() const { return mode_; }
  // What goes beyond the announced length is not written.
  void data(net::Buffer& output, std::string_view bytes) {
    if (mode_ == Mode::Chunked) {
      write_chunk(output, bytes);
    } else if (mode_ == Mode::Raw) {
      output.append(bytes);
    } else if (mode_ == Mode::Length) {
      excess_ |= bytes.size() > remaining_;
      bytes = bytes.substr(0, static_cast<size_t>(std::min<uint64_t>(remaining_, bytes.size())));
      remaining_ -= bytes.size();
      output.append(bytes);
    }
  }
  void end(net::Buffer& output, const HeaderMap* trailers) {
    if (mode_ == Mode::Chunked) write_last_chunk(output, trailers);
  }
  // The peer can tell where the message ends: its length was kept.
  bool framed() const {
    return !excess_ && mode_ != Mode::Raw && (mode_ != Mode::Length || remaining_ == 0);
  }

 private:
  Mode mode_ = Mode::None;
  bool excess_ = false;
  uint64_t remaining_ = 0;
};

}  // namespace sennit::http::http1

// For tests: HTTP/2 frames written and read by hand (RFC 9113 §4.1, §6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sennit::http::http2 {

enum class FrameType : uint8_t {
  Data = 0,
  Headers = 1,
  Priority = 2,
  RstStream = 3,
  Settings = 4,
  Ping = 6,
  Goaway = 7,
  WindowUpdate = 8,
  Continuation = 9,
};
inline constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;
inline constexpr uint32_t kNoError = 0, kProtocolError = 1, kRefusedStream = 7, kCancel = 8,
                          kEnhanceYourCalm = 11;

inline std::string number32(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}
inline std::string frame(FrameType type, uint8_t flags, uint32_t stream,
                         std::string_view payload = {}) {
  std::string out = number32(static_cast<uint32_t>(payload.size())).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return out + number32(stream) + std::string(payload);
}

using Fields = std::vector<std::pair<std::string, std::string>>;
// Literals without indexing (RFC 7541 §6.2.2); names and values shorter than 127 bytes.
inline std::string header_block(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += '\0';
    out += static_cast<char>(name.size());
    out += name;
    out += static_cast<char>(value.size());
    out += value;
  }
  return out;
}
inline std::string settings(const std::vector<std::pair<uint16_t, uint32_t>>& entries = {}) {
  std::string payload;
  for (const auto& [id, value] : entries) payload += number32(id).substr(2) + number32(value);
  return frame(FrameType::Settings, 0, 0, payload);
}
inline const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings();
inline const Fields kGetFields = {
    {":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}};

inline std::string headers(uint32_t stream, const Fields& fields, uint8_t flags) {
  return frame(FrameType::Headers, flags, stream, header_block(fields));
}
inline std::string get_request(uint32_t stream) {
  return headers(stream, kGetFields, kEndHeaders | kEndStream);
}
inline std::string reset_stream(uint32_t stream, uint32_t code) {
  return frame(FrameType::RstStream, 0, stream, number32(code));
}
inline std::string window_update(uint32_t stream, uint32_t bytes) {
  return frame(FrameType::WindowUpdate, 0, stream, number32(bytes));
}
inline std::string goaway(uint32_t last_stream, uint32_t code) {
  return frame(FrameType::Goaway, 0, 0, number32(last_stream) + number32(code));
}

struct Frame {
  FrameType type;
  uint8_t flags;
  uint32_t stream;
  std::string payload;

  uint32_t number(size_t at) const {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4 && i < payload.size(); ++i) {
      value = value << 8 | static_cast<uint8_t>(payload[i]);
    }
    return value;
  }
};
// The whole frames in `bytes`.
inline std::vector<Frame> parse_frames(std::string_view bytes) {
  std::vector<Frame> frames;
  const auto byte = [&](size_t at) {
    return static_cast<uint32_t>(static_cast<uint8_t>(bytes[at]));
  };
  while (bytes.size() >= 9) {
    const size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (bytes.size() < 9 + length) break;
    const uint32_t stream = (byte(5) & 0x7f) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
    frames.push_back({static_cast<FrameType>(bytes[3]), static_cast<uint8_t>(bytes[4]), stream,
                      std::string(bytes.substr(9, length))});
    bytes.remove_prefix(9 + length);
  }
  return frames;
}

}  // namespace sennit::http::http2

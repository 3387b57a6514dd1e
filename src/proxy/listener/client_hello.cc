#include "proxy/listener/client_hello.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>

namespace sennit::proxy {
namespace {

constexpr uint8_t kHandshakeRecord = 22, kClientHelloMessage = 1;
constexpr uint16_t kServerNameExtension = 0, kAlpnExtension = 16;
constexpr uint8_t kHostName = 0;
constexpr size_t kRecordHeader = 5, kMessageHeader = 4;
constexpr size_t kMaxRecord = 16 * 1024;

// A cursor that cannot be moved beyond the end: a read that does not fit fails, and so do all
// after it.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool failed() const { return failed_; }
  bool empty() const { return bytes_.empty(); }

  uint32_t number(size_t width) {
    uint32_t value = 0;
    for (const char byte : take(width)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  std::string_view take(size_t length) {
    if (failed_ || length > bytes_.size()) {
      failed_ = true;
      return {};
    }
    const auto taken = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    return taken;
  }
  std::string_view vector(size_t length_width) { return take(number(length_width)); }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

// The handshake message from its records; empty while incomplete. `malformed` where it is none.
std::optional<std::string> gather(std::string_view bytes, bool& malformed) {
  std::string message;
  while (true) {
    if (bytes.empty()) return std::nullopt;
    const bool wrong_type = static_cast<uint8_t>(bytes[0]) != kHandshakeRecord;
    const bool wrong_version = bytes.size() > 1 && bytes[1] != 3;
    if (wrong_type || wrong_version) {
      malformed = true;
      return std::nullopt;
    }
    if (bytes.size() < kRecordHeader) return std::nullopt;
    Reader header(bytes.substr(3, 2));
    const size_t length = header.number(2);
    if (length == 0 || length > kMaxRecord) {
      malformed = true;
      return std::nullopt;
    }
    bytes.remove_prefix(kRecordHeader);
    message += bytes.substr(0, length);
    if (!message.empty() && static_cast<uint8_t>(message[0]) != kClientHelloMessage) {
      malformed = true;
      return std::nullopt;
    }
    if (message.size() >= kMessageHeader) {
      Reader head(std::string_view(message).substr(1, 3));
      const size_t whole = head.number(3);
      if (whole > kMaxClientHello) malformed = true;
      if (malformed) return std::nullopt;
      if (message.size() >= kMessageHeader + whole) {
        return message.substr(kMessageHeader, whole);
      }
    }
    if (bytes.size() < length) return std::nullopt;
    bytes.remove_prefix(length);
  }
}

bool read_server_name(std::string_view extension, ClientHello& hello) {
  Reader reader(extension);
  Reader names(reader.vector(2));
  while (!reader.failed() && !names.empty() && !names.failed()) {
    const auto type = names.number(1);
    const auto name = names.vector(2);
    if (type != kHostName || names.failed()) continue;
    hello.server_name.resize(name.size());
    std::transform(name.begin(), name.end(), hello.server_name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  return !reader.failed() && !names.failed();
}

bool read_alpn(std::string_view extension, ClientHello& hello) {
  Reader reader(extension);
  Reader names(reader.vector(2));
  while (!reader.failed() && !names.empty() && !names.failed()) {
    const auto name = names.vector(1);
    if (!names.failed() && !name.empty()) hello.alpn.emplace_back(name);
  }
  return !reader.failed() && !names.failed();
}

bool read_hello(std::string_view message, ClientHello& hello) {
  Reader reader(message);
  reader.number(2);  // legacy_version
  reader.take(32);   // random
  reader.vector(1);  // legacy_session_id
  reader.vector(2);  // cipher_suites
  reader.vector(1);  // legacy_compression_methods
  if (reader.failed()) return false;
  if (reader.empty()) return true;  // no extensions: allowed up to TLS 1.2
  Reader extensions(reader.vector(2));
  if (reader.failed()) return false;
  while (!extensions.empty()) {
    const auto type = extensions.number(2);
    const auto body = extensions.vector(2);
    if (extensions.failed()) return false;
    if (type == kServerNameExtension && !read_server_name(body, hello)) return false;
    if (type == kAlpnExtension && !read_alpn(body, hello)) return false;
  }
  return true;
}

}  // namespace

Inspection inspect_client_hello(std::string_view bytes, ClientHello& hello) {
  bool malformed = false;
  const auto message = gather(bytes, malformed);
  if (malformed) return Inspection::NotThis;
  if (!message) {
    return bytes.size() < kMaxClientHello ? Inspection::NeedMore : Inspection::NotThis;
  }
  ClientHello read;
  if (!read_hello(*message, read)) return Inspection::NotThis;
  hello = std::move(read);
  return Inspection::Found;
}

}  // namespace sennit::proxy

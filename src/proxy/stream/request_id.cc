#include "proxy/stream/request_id.h"

#include <cstdint>
#include <cstring>

namespace sennit::proxy {
namespace {

// Two hexadecimal digits per byte value, so that a byte costs one copy.
struct HexPairs {
  char text[512];
  constexpr HexPairs() : text() {
    constexpr char kDigits[] = "0123456789abcdef";
    for (int i = 0; i < 256; ++i) {
      text[2 * i] = kDigits[i >> 4];
      text[2 * i + 1] = kDigits[i & 15];
    }
  }
};
constexpr HexPairs kHexPairs;

// Where in the text each of the 16 bytes goes (8-4-4-4-12).
constexpr uint8_t kOffsets[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

}  // namespace

Uuid::Uuid(Random& random) {
  uint8_t bytes[16];
  const uint64_t words[2] = {random.next(), random.next()};
  std::memcpy(bytes, words, sizeof(bytes));
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);  // variant 1
  for (int i = 0; i < 16; ++i) std::memcpy(&text_[kOffsets[i]], &kHexPairs.text[2 * bytes[i]], 2);
  text_[8] = text_[13] = text_[18] = text_[23] = '-';
}

}  // namespace sennit::proxy

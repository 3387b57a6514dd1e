// The table behind HeaderId: names in the enum's order, and a perfect hash over them that the
// compiler finds.
#include <array>
#include <bit>
#include <cstring>

#include "http/header_map.h"

namespace sennit::http {
namespace {

constexpr size_t kIdCount = static_cast<size_t>(HeaderId::Count);

constexpr std::array<std::string_view, kIdCount> kNames = {
    "",
    ":authority",
    ":method",
    ":path",
    ":scheme",
    ":status",
    ":protocol",
    "accept",
    "accept-encoding",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "baggage",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "grpc-accept-encoding",
    "grpc-message",
    "grpc-status",
    "grpc-timeout",
    "host",
    "keep-alive",
    "location",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "retry-after",
    "server",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-immediate-health-check-fail",
    "x-envoy-internal",
    "x-envoy-original-host",
    "x-envoy-original-path",
    "x-envoy-overloaded",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-envoy-ratelimited",
    "x-envoy-retry-on",
    "x-envoy-upstream-service-time",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
};
static_assert(kNames.back() == "x-request-id", "one name for each id");

constexpr size_t kSlotBits = 10;  // 1 KB of table; a multiplier is found within some dozen tries
constexpr size_t kSlots = size_t{1} << kSlotBits;

// The last eight bytes (or all of a shorter name) and the length tell all known names apart.
constexpr uint64_t name_key(std::string_view name) {
  uint64_t tail = 0;
  if (name.size() >= 8) {
    const char* from = name.data() + name.size() - 8;
    if
      consteval {
        for (size_t i = 0; i < 8; ++i)
          tail |= uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
      }
    else {
      std::memcpy(&tail, from, 8);
      if constexpr (std::endian::native == std::endian::big) tail = __builtin_bswap64(tail);
    }
  } else {
    for (const char c : name) tail = tail << 8 | static_cast<unsigned char>(c);
  }
  return tail ^ name.size() << 56;
}

constexpr size_t slot_of(uint64_t key, uint64_t multiplier) {
  return static_cast<size_t>(key * multiplier >> (64 - kSlotBits));
}

struct Table {
  uint64_t multiplier = 0;
  std::array<uint8_t, kSlots> ids{};
};

constexpr bool fill(Table& table) {
  table.ids = {};
  for (size_t id = 1; id < kIdCount; ++id) {
    uint8_t& slot = table.ids[slot_of(name_key(kNames[id]), table.multiplier)];
    if (slot != 0) return false;
    slot = static_cast<uint8_t>(id);
  }
  return true;
}

consteval Table find_table() {
  Table table;
  table.multiplier = 0x9e3779b97f4a7c15;  // any odd start; each step is one of Knuth's LCG
  while (!fill(table))
    table.multiplier = (table.multiplier * 6364136223846793005 + 1442695040888963407) | 1;
  return table;
}

constexpr Table kTable = find_table();

}  // namespace

std::string_view header_name(HeaderId id) {
  return kNames[static_cast<size_t>(id)];
}

HeaderId header_id(std::string_view lower_case_name) {
  const uint8_t id = kTable.ids[slot_of(name_key(lower_case_name), kTable.multiplier)];
  return kNames[id] == lower_case_name ? static_cast<HeaderId>(id) : HeaderId::None;
}

}  // namespace sennit::http

// The listener filters that read plain bytes: http_inspector and proxy_protocol.
#include <gmock/gmock.h>

#include "proxy/listener/http_inspector.h"
#include "proxy/listener/proxy_protocol.h"

namespace sennit::proxy {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string http(std::string_view bytes) {
  std::string_view protocol;
  switch (inspect_http(bytes, protocol)) {
    case Inspection::Found:
      return std::string(protocol);
    case Inspection::NotThis:
      return "not http";
    case Inspection::NeedMore:
      return "need more";
  }
  return "";
}

TEST(HttpInspector, TellsTheVersionsApart) {
  EXPECT_EQ(http("GET / HTTP/1.1\r\n"), "http/1.1");
  EXPECT_EQ(http("POST /a?b=c HTTP/1.0\r\nhost"), "http/1.0");
  EXPECT_EQ(http(kPreface), "h2c");
  EXPECT_EQ(http(std::string(kPreface) + "frames"), "h2c");
}

TEST(HttpInspector, WaitsForMoreAtEachTruncation) {
  const std::string_view line = "DELETE /thing HTTP/1.1\r\n";
  for (size_t i = 0; i < line.size(); ++i) EXPECT_EQ(http(line.substr(0, i)), "need more") << i;
  for (size_t i = 0; i < kPreface.size(); ++i) {
    EXPECT_EQ(http(kPreface.substr(0, i)), "need more") << i;
  }
}

TEST(HttpInspector, KnowsOtherProtocolsAtTheirFirstBytes) {
  EXPECT_EQ(http(std::string_view("\x16\x03\x01", 3)), "not http");
  EXPECT_EQ(http(std::string_view("\0", 1)), "not http");
  EXPECT_EQ(http("*1\r\n$4\r\nPING\r\n"), "not http");
  EXPECT_EQ(http(" GET / HTTP/1.1\r\n"), "not http");
  EXPECT_EQ(http("SSH-2.0-OpenSSH\r\n"), "not http");
  EXPECT_EQ(http("GET / HTTP/3.0\r\n"), "not http");
  EXPECT_EQ(http("GET /\r\n"), "not http");
}

TEST(HttpInspector, DoesNotWaitForEverForALine) {
  EXPECT_EQ(http("GET /" + std::string(kMaxInspectedRequestLine, 'a')), "not http");
}

struct Read {
  Inspection outcome;
  ProxyHeader header;
};
Read proxy(std::string_view bytes) {
  Read read;
  read.outcome = inspect_proxy_header(bytes, read.header);
  return read;
}

constexpr std::string_view kV1 = "PROXY TCP4 192.0.2.1 198.51.100.2 5555 443\r\n";

std::string v2(int version_command, int family, std::string_view body) {
  std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
  bytes += static_cast<char>(version_command);
  bytes += static_cast<char>(family);
  bytes += static_cast<char>(body.size() >> 8);
  bytes += static_cast<char>(body.size() & 0xff);
  return bytes + std::string(body);
}
const std::string kV4Body("\xC0\x00\x02\x01\xC6\x33\x64\x02\x15\xB3\x01\xBB", 12);

TEST(ProxyProtocol, ReadsVersion1) {
  const auto read = proxy(std::string(kV1) + "payload");
  ASSERT_EQ(read.outcome, Inspection::Found);
  EXPECT_EQ(read.header.source.to_string(), "192.0.2.1:5555");
  EXPECT_EQ(read.header.destination.to_string(), "198.51.100.2:443");
  EXPECT_EQ(read.header.length, kV1.size());
}

TEST(ProxyProtocol, ReadsVersion1WithIpv6) {
  const auto read = proxy("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n");
  ASSERT_EQ(read.outcome, Inspection::Found);
  EXPECT_EQ(read.header.source.to_string(), "[2001:db8::1]:1");
  EXPECT_EQ(read.header.destination.port(), 65535);
}

TEST(ProxyProtocol, KeepsTheSocketsAddressesForUnknown) {
  const auto read = proxy("PROXY UNKNOWN whatever it says\r\n");
  ASSERT_EQ(read.outcome, Inspection::Found);
  EXPECT_FALSE(read.header.source.valid());
  EXPECT_EQ(read.header.length, 32u);
}

TEST(ProxyProtocol, ReadsVersion2) {
  const auto bytes = v2(0x21, 0x11, kV4Body + "\x04\x00\x01\x00");  // with a TLV
  const auto read = proxy(bytes + "payload");
  ASSERT_EQ(read.outcome, Inspection::Found);
  EXPECT_EQ(read.header.source.to_string(), "192.0.2.1:5555");
  EXPECT_EQ(read.header.destination.to_string(), "198.51.100.2:443");
  EXPECT_EQ(read.header.length, bytes.size());
}

TEST(ProxyProtocol, ReadsVersion2WithIpv6) {
  std::string body(32, '\0');
  body[15] = 1;
  body[31] = 2;
  const auto read = proxy(v2(0x21, 0x21, body + std::string("\x00\x50\x01\xBB", 4)));
  ASSERT_EQ(read.outcome, Inspection::Found);
  EXPECT_EQ(read.header.source.to_string(), "[::1]:80");
  EXPECT_EQ(read.header.destination.to_string(), "[::2]:443");
}

TEST(ProxyProtocol, KeepsTheSocketsAddressesForLocalAndUnix) {
  for (const auto& bytes : {v2(0x20, 0x00, ""), v2(0x21, 0x31, std::string(216, 'u'))}) {
    const auto read = proxy(bytes);
    ASSERT_EQ(read.outcome, Inspection::Found);
    EXPECT_FALSE(read.header.source.valid());
    EXPECT_EQ(read.header.length, bytes.size());
  }
}

TEST(ProxyProtocol, WaitsForMoreAtEachTruncation) {
  for (const auto& bytes : {std::string(kV1), v2(0x21, 0x11, kV4Body)}) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      EXPECT_EQ(proxy(bytes.substr(0, i)).outcome, Inspection::NeedMore) << i;
    }
  }
}

TEST(ProxyProtocol, RefusesWhatIsNotAHeader) {
  const std::string long_line = "PROXY TCP4 " + std::string(107, '1');
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n"), std::string("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n"),
        std::string("PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n"),
        std::string("PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n"),
        std::string("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"),
        std::string("PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n"),
        std::string("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"),
        std::string("PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n"), std::string("PROXY\r\n"),
        long_line, v2(0x11, 0x11, kV4Body), v2(0x22, 0x11, kV4Body),
        v2(0x21, 0x11, kV4Body.substr(1)), v2(0x21, 0x21, kV4Body)}) {
    EXPECT_EQ(proxy(bytes).outcome, Inspection::NotThis) << bytes;
  }
  EXPECT_EQ(proxy(v2(0x21, 0x11, std::string(kMaxProxyHeader, 'x'))).outcome, Inspection::NotThis);
}

}  // namespace
}  // namespace sennit::proxy

#include "proxy/listener/client_hello.h"

#include <gmock/gmock.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

namespace sennit::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What AWS-LC sends first. ALPN in its wire form.
std::string client_hello(const std::string& server_name, const std::string& alpn) {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  bssl::UniquePtr<SSL> ssl(SSL_new(context.get()));
  SSL_set_connect_state(ssl.get());
  if (!server_name.empty()) SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
  if (!alpn.empty()) {
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const uint8_t*>(alpn.data()), alpn.size());
  }
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  SSL_do_handshake(ssl.get());
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  BIO_mem_contents(out, &bytes, &length);
  return std::string(reinterpret_cast<const char*>(bytes), length);
}

std::string record(std::string_view fragment) {
  std::string bytes("\x16\x03\x01", 3);
  bytes += static_cast<char>(fragment.size() >> 8);
  bytes += static_cast<char>(fragment.size() & 0xff);
  return bytes + std::string(fragment);
}

const std::string& whole() {
  static const std::string bytes =
      client_hello("Outbound_.80_._.Reviews.default", "\x05istio\x02h2");
  return bytes;
}

TEST(ClientHello, TellsTheServerNameInLowerCaseAndTheProtocols) {
  ClientHello hello;
  ASSERT_EQ(inspect_client_hello(whole(), hello), Inspection::Found);
  EXPECT_EQ(hello.server_name, "outbound_.80_._.reviews.default");
  EXPECT_THAT(hello.alpn, ElementsAre("istio", "h2"));
}

TEST(ClientHello, MayNameNothing) {
  ClientHello hello;
  ASSERT_EQ(inspect_client_hello(client_hello("", ""), hello), Inspection::Found);
  EXPECT_EQ(hello.server_name, "");
  EXPECT_THAT(hello.alpn, IsEmpty());
}

TEST(ClientHello, WaitsForMoreAtEachTruncation) {
  for (size_t length = 0; length < whole().size(); ++length) {
    ClientHello hello;
    ASSERT_EQ(inspect_client_hello(whole().substr(0, length), hello), Inspection::NeedMore)
        << length << " of " << whole().size() << " bytes";
    ASSERT_EQ(hello.server_name, "");
  }
}

TEST(ClientHello, IgnoresWhatFollowsIt) {
  ClientHello hello;
  EXPECT_EQ(inspect_client_hello(whole() + std::string(1000, 'x'), hello), Inspection::Found);
}

TEST(ClientHello, IsGatheredFromManyRecords) {
  const auto message = std::string_view(whole()).substr(5);
  std::string split;
  for (size_t at = 0; at < message.size(); at += 7) split += record(message.substr(at, 7));
  ClientHello hello;
  ASSERT_EQ(inspect_client_hello(split, hello), Inspection::Found);
  EXPECT_EQ(hello.server_name, "outbound_.80_._.reviews.default");
}

// Whatever byte is changed to whatever value: a hello that is not found leaves nothing behind, one
// that is found holds no more than was sent.
TEST(ClientHello, IsNeverReadBeyondItsBounds) {
  for (size_t at = 0; at < whole().size(); ++at) {
    for (const char value : {'\x00', '\x01', '\x7f', '\xff'}) {
      std::string bytes = whole();
      bytes[at] = value;
      ClientHello hello;
      const auto outcome = inspect_client_hello(bytes, hello);
      if (outcome == Inspection::Found) {
        ASSERT_LT(hello.server_name.size(), bytes.size());
      } else {
        ASSERT_TRUE(hello.server_name.empty() && hello.alpn.empty()) << "at " << at;
      }
    }
  }
}

class NotClientHelloTest : public testing::TestWithParam<std::pair<const char*, std::string>> {};
TEST_P(NotClientHelloTest, IsKnownAtOnce) {
  ClientHello hello;
  EXPECT_EQ(inspect_client_hello(GetParam().second, hello), Inspection::NotThis);
}
INSTANTIATE_TEST_SUITE_P(
    , NotClientHelloTest,
    testing::Values(std::pair{"Http", std::string("GET / HTTP/1.1\r\n")},
                    std::pair{"OneByte", std::string("G")},
                    std::pair{"Alert", std::string("\x15\x03\x01\x00\x02", 5)},
                    std::pair{"Ssl2", std::string("\x80\x2e\x01\x03\x01", 5)},
                    std::pair{"WrongVersion", std::string("\x16\x02", 2)},
                    std::pair{"EmptyRecord", std::string("\x16\x03\x01\x00\x00", 5)},
                    std::pair{"RecordTooLong", std::string("\x16\x03\x01\x40\x01", 5)},
                    std::pair{"ServerHello", std::string("\x16\x03\x01\x00\x04\x02", 6)},
                    std::pair{"MessageTooLong",
                              std::string("\x16\x03\x01\x10\x00\x01\x01\x00\x00", 9)},
                    std::pair{"EmptyMessage", record(std::string("\x01\x00\x00\x00", 4))}),
    [](const auto& info) { return std::string(info.param.first); });

}  // namespace
}  // namespace sennit::proxy

#include "net/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace sennit::net {
namespace {

TEST(Address, ReadsWhatItPrints) {
  for (const char* text : {"10.0.0.1:80", "[::1]:443", "[2001:db8::5]:0", "0.0.0.0:65535"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(Address, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "10.0.0.1", "10.0.0:80", "host:80", "10.0.0.1:65536", "10.0.0.1:x",
                           "[::1]", "[::1:80", "10.0.0.1:", "unix:"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

TEST(Address, KeepsUnixPathsAndAbstractNames) {
  EXPECT_EQ(Address::parse("unix:/run/a.sock")->ip_string(), "/run/a.sock");
  EXPECT_EQ(Address::parse("unix://@name")->ip_string(), "@name");
}

TEST(Address, RefusesAUnixPathThatTheKernelWouldCut) {
  EXPECT_FALSE(Address::unix_path(std::string(108, 'a')));
}

TEST(Address, ComparesByFamilyBytesAndPort) {
  EXPECT_EQ(*Address::ip("::1", 1), *Address::ip("0:0:0:0:0:0:0:1", 1));
  EXPECT_FALSE(*Address::ip("10.0.0.1", 1) == *Address::ip("10.0.0.1", 2));
  EXPECT_FALSE(*Address::ip("10.0.0.1", 1) == *Address::ip("10.0.0.2", 1));
  EXPECT_EQ(Address::ip("10.0.0.1", 1)->hash(), Address::ip("10.0.0.1", 1)->hash());
}

TEST(Address, TurnsMappedAddressesOfDualStackSocketsIntoIpv4) {
  const auto mapped = *Address::ip("::ffff:10.1.2.3", 80);
  sockaddr_storage storage{};
  std::memcpy(&storage, mapped.sockaddr_ptr(), mapped.sockaddr_length());
  EXPECT_EQ(Address::from_sockaddr(storage, mapped.sockaddr_length()).to_string(), "10.1.2.3:80");
}

TEST(Address, KnowsAnyAndLoopback) {
  EXPECT_TRUE(Address::ip("0.0.0.0", 0)->is_any());
  EXPECT_TRUE(Address::ip("::", 0)->is_any());
  EXPECT_TRUE(Address::ip("127.8.8.8", 0)->is_loopback());
  EXPECT_TRUE(Address::ip("::1", 0)->is_loopback());
  EXPECT_FALSE(Address::ip("10.0.0.1", 0)->is_any());
}

TEST(Cidr, ContainsItsRangeOnly) {
  const auto range = *Cidr::parse("10.1.128.0/17");
  EXPECT_TRUE(range.contains(*Address::ip("10.1.255.255", 9)));
  EXPECT_FALSE(range.contains(*Address::ip("10.1.127.255", 9)));
  EXPECT_FALSE(range.contains(*Address::ip("::1", 9)));
}

TEST(Cidr, OfLengthZeroContainsItsWholeFamily) {
  const auto range = *Cidr::parse("0.0.0.0", 0);
  EXPECT_TRUE(range.contains(*Address::ip("203.0.113.9", 1)));
  EXPECT_FALSE(range.contains(*Address::ip("2001:db8::1", 1)));
}

TEST(Cidr, MasksBitsBeyondThePrefix) {
  EXPECT_EQ(Cidr::parse("10.1.2.3/8")->to_string(), "10.0.0.0/8");
  EXPECT_EQ(Cidr::parse("10.1.2.3")->to_string(), "10.1.2.3/32");
  EXPECT_EQ(Cidr::parse("2001:db8::1/33")->to_string(), "2001:db8::/33");
}

TEST(Cidr, MatchesMappedAddressesAgainstIpv4Ranges) {
  EXPECT_TRUE(Cidr::parse("10.0.0.0/8")->contains(*Address::ip("::ffff:10.9.9.9", 1)));
}

TEST(Cidr, RefusesPrefixesThatAreTooLong) {
  EXPECT_FALSE(Cidr::parse("10.0.0.0/33"));
  EXPECT_FALSE(Cidr::parse("::/129"));
  EXPECT_FALSE(Cidr::parse("10.0.0.0/a"));
  EXPECT_FALSE(Cidr::parse("nowhere/8"));
}

}  // namespace
}  // namespace sennit::net

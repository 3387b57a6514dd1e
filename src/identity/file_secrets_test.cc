#include "identity/file_secrets.h"

#include <gtest/gtest.h>

namespace sennit::identity {
namespace {

TEST(FileSecrets, ACertificateIsAChainAndItsKey) {
  auto secret = file_secret("file-cert:/etc/front/cert.pem~/etc/front/key.pem");
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->name(), "file-cert:/etc/front/cert.pem~/etc/front/key.pem");
  EXPECT_EQ(secret->tls_certificate().certificate_chain().filename(), "/etc/front/cert.pem");
  EXPECT_EQ(secret->tls_certificate().private_key().filename(), "/etc/front/key.pem");
}

TEST(FileSecrets, RootsAreOneFile) {
  auto secret = file_secret("file-root:/etc/front/roots.pem");
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->validation_context().trusted_ca().filename(), "/etc/front/roots.pem");
}

TEST(FileSecrets, OtherNamesAreNotFiles) {
  EXPECT_FALSE(file_secret("default"));
  EXPECT_FALSE(file_secret("file-cert:/etc/front/cert.pem"));
  EXPECT_FALSE(file_secret("file-root:"));
}

}  // namespace
}  // namespace sennit::identity

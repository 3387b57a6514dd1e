#include "pki/x509.h"

#include <gtest/gtest.h>

namespace sennit::pki {
namespace {

constexpr char kId[] = "spiffe://cluster.local/ns/default/sa/reviews";

struct Authority {
  Key key = *generate_key();
  Certificate root = *make_root(key, "cluster.local", std::chrono::hours(1));
};

bool verifies(const Authority& authority, const Certificate& leaf) {
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, authority.root.get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf.get(), nullptr);
  bool verified = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return verified;
}

TEST(X509, ARequestCarriesTheSpiffeIdAndProvesItsKey) {
  Key key = *generate_key();
  auto request = request_from_pem(*make_request(key, kId));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(requested_names(*request).uris, std::vector<std::string>{kId});
  EXPECT_TRUE(requested_names(*request).others.empty());
}

TEST(X509, ATamperedRequestIsRefused) {
  std::string pem = *make_request(*generate_key(), kId);
  std::string other = *make_request(*generate_key(), kId);
  // The head of one with the signature of the other.
  std::string mixed = pem.substr(0, pem.size() / 2) + other.substr(pem.size() / 2);
  EXPECT_FALSE(request_from_pem(mixed).has_value());
  EXPECT_FALSE(request_from_pem("garbage").has_value());
}

TEST(X509, AnIssuedLeafVerifiesAgainstItsRootAndNotAgainstAnother) {
  Authority authority, stranger;
  Key key = *generate_key();
  auto request = request_from_pem(*make_request(key, kId));
  auto leaf = issue(authority.key, authority.root, X509_REQ_get0_pubkey(request->get()),
                    {.spiffe_id = kId, .lifetime = std::chrono::hours(1)});
  ASSERT_TRUE(leaf.has_value());
  EXPECT_TRUE(verifies(authority, *leaf));
  EXPECT_FALSE(verifies(stranger, *leaf));
  EXPECT_TRUE(matches(*leaf, key));
  EXPECT_EQ(facts(*leaf).uri_sans, std::vector<std::string>{kId});
}

TEST(X509, ALeafLivesAsLongAsAskedFor) {
  Authority authority;
  auto leaf = issue(authority.key, authority.root, authority.key.get(),
                    {.spiffe_id = kId,
                     .lifetime = std::chrono::seconds(90),
                     .backdate = std::chrono::seconds(10)});
  auto about = facts(*leaf);
  EXPECT_EQ(about.not_after - about.not_before, std::chrono::seconds(100));
}

TEST(X509, PemRoundTrips) {
  Authority authority;
  auto key = key_from_pem(*key_to_pem(authority.key));
  ASSERT_TRUE(key.has_value());
  EXPECT_TRUE(matches(authority.root, *key));
  std::string pem = certificate_to_pem(authority.root);
  EXPECT_EQ(chain_from_pem(pem + pem)->size(), 2u);
  EXPECT_FALSE(key_from_pem(pem).has_value());
}

TEST(X509, RsaKeysWorkToo) {
  Authority authority;
  Key key = *generate_key(KeyType::Rsa2048);
  EXPECT_TRUE(request_from_pem(*make_request(key, kId)).has_value());
}

TEST(WorkloadIdentity, ReadsAndWritesSpiffeIds) {
  auto identity = WorkloadIdentity::parse(kId);
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->service_account, "reviews");
  EXPECT_EQ(identity->spiffe_id(), kId);
}

TEST(WorkloadIdentity, RefusesWhatIsNotAWorkloads) {
  for (const char* id : {"", "https://a/ns/b/sa/c", "spiffe://a/ns/b/sa", "spiffe://a/ns/b/sa/c/d",
                         "spiffe:///ns/b/sa/c", "spiffe://a/ns//sa/c", "spiffe://a/sa/b/ns/c"})
    EXPECT_FALSE(WorkloadIdentity::parse(id).has_value()) << id;
}

}  // namespace
}  // namespace sennit::pki

// Certificates made on the spot, for tests: authorities and what they issue. P-256 keys.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <string>

#include "tls/context.h"

namespace sennit::tls {

inline std::string drain_bio(BIO* bio) {
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  BIO_mem_contents(bio, &bytes, &length);
  return std::string(reinterpret_cast<const char*>(bytes), length);
}

struct Subject {
  std::string common_name = "workload";
  std::string names;          // "URI:spiffe://a/b,DNS:c"; empty: no subject alternative name
  int64_t begins_in = -3600;  // seconds from now
  int64_t ends_in = 24 * 3600;
  bool authority = false;
};

// A certificate with its key; an authority can issue others.
class TestCertificate {
 public:
  static TestCertificate self_signed(const Subject& subject) { return {subject, nullptr}; }
  static TestCertificate authority(const std::string& name) {
    return self_signed({.common_name = name, .names = "", .authority = true});
  }
  TestCertificate issue(const Subject& subject) const { return {subject, this}; }

  std::string pem() const {
    bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate_.get());
    return drain_bio(bio.get());
  }
  std::string key_pem() const {
    bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return drain_bio(bio.get());
  }
  // With the chain that a peer needs: this one, then `issuers`.
  Certificate material(const std::string& issuers = "") const {
    return {pem() + issuers, key_pem(), ""};
  }
  X509* get() const { return certificate_.get(); }

 private:
  TestCertificate(const Subject& subject, const TestCertificate* issuer)
      : key_(EVP_PKEY_new()), certificate_(X509_new()) {
    bssl::UniquePtr<EC_KEY> curve(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    EXPECT_TRUE(EC_KEY_generate_key(curve.get()));
    EVP_PKEY_set1_EC_KEY(key_.get(), curve.get());
    static std::atomic<int64_t> serial{1};
    X509* x509 = certificate_.get();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set_int64(X509_get_serialNumber(x509), serial.fetch_add(1));
    X509_gmtime_adj(X509_getm_notBefore(x509), subject.begins_in);
    X509_gmtime_adj(X509_getm_notAfter(x509), subject.ends_in);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               reinterpret_cast<const uint8_t*>(subject.common_name.c_str()), -1,
                               -1, 0);
    X509* signer = issuer ? issuer->get() : x509;
    X509_set_issuer_name(x509, X509_get_subject_name(signer));
    X509_set_pubkey(x509, key_.get());
    extend(signer, NID_basic_constraints, subject.authority ? "critical,CA:TRUE" : "CA:FALSE");
    extend(signer, NID_key_usage,
           subject.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    if (!subject.names.empty()) extend(signer, NID_subject_alt_name, subject.names);
    EXPECT_TRUE(X509_sign(x509, issuer ? issuer->key_.get() : key_.get(), EVP_sha256()));
  }

  void extend(X509* signer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, certificate_.get(), nullptr, nullptr, 0);
    bssl::UniquePtr<X509_EXTENSION> extension(
        X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()));
    ASSERT_TRUE(extension) << value;
    X509_add_ext(certificate_.get(), extension.get(), -1);
  }

  bssl::UniquePtr<EVP_PKEY> key_;
  bssl::UniquePtr<X509> certificate_;
};

}  // namespace sennit::tls

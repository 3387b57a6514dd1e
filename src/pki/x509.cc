#include "pki/x509.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace sennit::pki {
namespace {

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;

struct NamesDeleter {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
using Names = std::unique_ptr<GENERAL_NAMES, NamesDeleter>;

Bio reader(std::string_view bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string contents(const Bio& bio) {
  char* data = nullptr;
  long length = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(length)};
}

// OpenSSL keeps its errors in a queue of the thread; the last one says most.
std::unexpected<Error> openssl_failure(std::string_view what) {
  unsigned long code = ERR_peek_last_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return fail("{}: {}", what, reason ? reason : "unknown reason");
}

std::string text(const ASN1_STRING* value) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<size_t>(ASN1_STRING_length(value))};
}

std::string name_text(const X509_NAME* name) {
  Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  return contents(bio);
}

bool add_name(GENERAL_NAMES* names, int type, std::string_view value) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* string =
      ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  ASN1_STRING_set(string, value.data(), static_cast<int>(value.size()));
  GENERAL_NAME_set0_value(name, type, string);
  return sk_GENERAL_NAME_push(names, name) > 0;
}

// DNS names and IP literals share a list in the options; SANs keep them apart.
void add_host(GENERAL_NAMES* names, const std::string& host) {
  unsigned char address[16];
  if (inet_pton(AF_INET, host.c_str(), address) == 1) {
    add_name(names, GEN_IPADD, {reinterpret_cast<char*>(address), 4});
  } else if (inet_pton(AF_INET6, host.c_str(), address) == 1) {
    add_name(names, GEN_IPADD, {reinterpret_cast<char*>(address), 16});
  } else {
    add_name(names, GEN_DNS, host);
  }
}

bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (!extension) return false;
  bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// 127 random bits: unique without a record of what was issued (CA/Browser baseline asks for 64).
bool set_random_serial(X509* certificate) {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] = (bytes[0] & 0x7f) | 0x40;
  BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
  bool set = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return set;
}

void set_validity(X509* certificate, std::chrono::seconds backdate, std::chrono::seconds lifetime) {
  X509_gmtime_adj(X509_getm_notBefore(certificate), -backdate.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate), lifetime.count());
}

std::chrono::system_clock::time_point to_time(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

}  // namespace

Result<Key> generate_key(KeyType type) {
  Key key(type == KeyType::EcdsaP256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048));
  if (!key) return openssl_failure("cannot generate a key");
  return key;
}

Result<std::string> key_to_pem(const Key& key) {
  Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1)
    return openssl_failure("cannot write the key");
  return contents(bio);
}

Result<Key> key_from_pem(std::string_view pem) {
  Key key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
  if (!key) return openssl_failure("not a private key in PEM");
  return key;
}

Result<std::string> make_request(const Key& key, std::string_view spiffe_id) {
  Request request(X509_REQ_new());
  X509_REQ_set_version(request.get(), 0);
  X509_REQ_set_pubkey(request.get(), key.get());
  Names names(sk_GENERAL_NAME_new_null());
  add_name(names.get(), GEN_URI, spiffe_id);
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  X509_EXTENSION* san = X509V3_EXT_i2d(NID_subject_alt_name, 1, names.get());
  sk_X509_EXTENSION_push(extensions, san);
  X509_REQ_add_extensions(request.get(), extensions);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  if (X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0)
    return openssl_failure("cannot sign the certificate request");
  Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return contents(bio);
}

Result<Request> request_from_pem(std::string_view pem) {
  Request request(PEM_read_bio_X509_REQ(reader(pem).get(), nullptr, nullptr, nullptr));
  if (!request) return openssl_failure("not a certificate request in PEM");
  if (X509_REQ_verify(request.get(), X509_REQ_get0_pubkey(request.get())) != 1)
    return openssl_failure("the certificate request's signature does not match its key");
  return request;
}

RequestedNames requested_names(const Request& request) {
  RequestedNames result;
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request.get());
  Names names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) {
      result.uris.push_back(text(name->d.uniformResourceIdentifier));
    } else if (name->type == GEN_DNS) {
      result.others.push_back("DNS:" + text(name->d.dNSName));
    } else {
      result.others.push_back(fmt::format("a name of kind {}", name->type));
    }
  }
  return result;
}

Result<Certificate> certificate_from_pem(std::string_view pem) {
  Certificate certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
  if (!certificate) return openssl_failure("not a certificate in PEM");
  return certificate;
}

Result<std::vector<Certificate>> chain_from_pem(std::string_view pem) {
  std::vector<Certificate> chain;
  Bio bio = reader(pem);
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    chain.emplace_back(certificate);
  ERR_clear_error();  // the end of the file is reported as an error
  if (chain.empty()) return fail("no certificate in PEM");
  return chain;
}

std::string certificate_to_pem(const Certificate& certificate) {
  Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate.get());
  return contents(bio);
}

CertificateFacts facts(const Certificate& certificate) {
  CertificateFacts result;
  BIGNUM* serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.get()), nullptr);
  char* hex = BN_bn2hex(serial);
  result.serial = hex;
  OPENSSL_free(hex);
  BN_free(serial);
  result.subject = name_text(X509_get_subject_name(certificate.get()));
  result.issuer = name_text(X509_get_issuer_name(certificate.get()));
  result.not_before = to_time(X509_get0_notBefore(certificate.get()));
  result.not_after = to_time(X509_get0_notAfter(certificate.get()));
  Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) result.uri_sans.push_back(text(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) result.dns_sans.push_back(text(name->d.dNSName));
  }
  return result;
}

bool matches(const Certificate& certificate, const Key& key) {
  bool same = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return same;
}

Result<Certificate> make_root(const Key& key, std::string_view trust_domain,
                              std::chrono::seconds lifetime) {
  Certificate root(X509_new());
  X509_set_version(root.get(), X509_VERSION_3);
  X509_NAME* name = X509_get_subject_name(root.get());
  X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(trust_domain.data()),
                             static_cast<int>(trust_domain.size()), -1, 0);
  X509_set_issuer_name(root.get(), name);
  set_validity(root.get(), std::chrono::seconds(60), lifetime);
  X509_set_pubkey(root.get(), key.get());
  if (!set_random_serial(root.get()) ||
      !add_extension(root.get(), root.get(), NID_basic_constraints, "critical,CA:TRUE") ||
      !add_extension(root.get(), root.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(root.get(), root.get(), NID_subject_key_identifier, "hash") ||
      X509_sign(root.get(), key.get(), EVP_sha256()) == 0)
    return openssl_failure("cannot make the root certificate");
  return root;
}

Result<Certificate> issue(const Key& issuer_key, const Certificate& issuer, EVP_PKEY* public_key,
                          const LeafOptions& options) {
  Certificate leaf(X509_new());
  X509_set_version(leaf.get(), X509_VERSION_3);
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer.get()));
  set_validity(leaf.get(), options.backdate, options.lifetime);
  X509_set_pubkey(leaf.get(), public_key);
  Names names(sk_GENERAL_NAME_new_null());
  if (!options.spiffe_id.empty()) add_name(names.get(), GEN_URI, options.spiffe_id);
  for (const std::string& host : options.dns_names) add_host(names.get(), host);
  // Critical, because the subject is empty (RFC 5280 §4.2.1.6).
  if (!set_random_serial(leaf.get()) ||
      X509_add1_ext_i2d(leaf.get(), NID_subject_alt_name, names.get(), 1, X509V3_ADD_DEFAULT) !=
          1 ||
      !add_extension(leaf.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(leaf.get(), issuer.get(), NID_key_usage,
                     "critical,digitalSignature,keyEncipherment") ||
      !add_extension(leaf.get(), issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth") ||
      !add_extension(leaf.get(), issuer.get(), NID_authority_key_identifier, "keyid") ||
      X509_sign(leaf.get(), issuer_key.get(), EVP_sha256()) == 0)
    return openssl_failure("cannot issue the certificate");
  return leaf;
}

std::string WorkloadIdentity::spiffe_id() const {
  return fmt::format("spiffe://{}/ns/{}/sa/{}", trust_domain, namespace_, service_account);
}

Result<WorkloadIdentity> WorkloadIdentity::parse(std::string_view id) {
  constexpr std::string_view kScheme = "spiffe://";
  auto wrong = [&] {
    return fail("\"{}\" is not a workload's SPIFFE ID (spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT)",
                id);
  };
  if (!id.starts_with(kScheme)) return wrong();
  std::vector<std::string_view> parts;
  for (std::string_view rest = id.substr(kScheme.size());;) {
    size_t slash = rest.find('/');
    parts.push_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (parts.size() != 5 || parts[1] != "ns" || parts[3] != "sa" || parts[0].empty() ||
      parts[2].empty() || parts[4].empty())
    return wrong();
  return WorkloadIdentity{std::string(parts[0]), std::string(parts[2]), std::string(parts[4])};
}

}  // namespace sennit::pki

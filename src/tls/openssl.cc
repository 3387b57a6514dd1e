#include "tls/openssl.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <cstring>

namespace sennit::tls {
namespace {

std::string take_bio(BIO* bio) {
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  if (!BIO_mem_contents(bio, &bytes, &length)) return "";
  return std::string(reinterpret_cast<const char*>(bytes), length);
}

int general_name_type(SanType type) {
  switch (type) {
    case SanType::Dns:
      return GEN_DNS;
    case SanType::Uri:
      return GEN_URI;
    case SanType::Email:
      return GEN_EMAIL;
    case SanType::Ip:
      return GEN_IPADD;
  }
  return -1;
}

std::string ip_text(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = {};
  const int length = ASN1_STRING_length(address);
  if (length != 4 && length != 16) return "";
  inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
  return text;
}

std::string general_name_text(const GENERAL_NAME* name) {
  if (name->type == GEN_IPADD) return ip_text(name->d.iPAddress);
  const ASN1_STRING* text = name->d.ia5;
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     ASN1_STRING_length(text));
}

}  // namespace

std::vector<std::string> subject_alternative_names(X509* certificate, SanType type) {
  std::vector<std::string> found;
  bssl::UniquePtr<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return found;
  for (size_t i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == general_name_type(type)) found.push_back(general_name_text(name));
  }
  return found;
}

std::string name_rfc2253(const X509_NAME* name) {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  return take_bio(bio.get());
}

std::string serial_hex(X509* certificate) {
  bssl::UniquePtr<BIGNUM> number(ASN1_INTEGER_to_BN(X509_get_serialNumber(certificate), nullptr));
  if (!number) return "";
  bssl::UniquePtr<char> text(BN_bn2hex(number.get()));
  std::string hex(text.get());
  for (char& digit : hex)
    digit = static_cast<char>(std::tolower(static_cast<unsigned char>(digit)));
  return hex;
}

std::string sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
         reinterpret_cast<uint8_t*>(digest.data()));
  return digest;
}

std::string certificate_sha256(X509* certificate) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned length = 0;
  X509_digest(certificate, EVP_sha256(), reinterpret_cast<uint8_t*>(digest.data()), &length);
  return digest;
}

std::string spki_sha256(X509* certificate) {
  uint8_t* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (length <= 0) return "";
  const std::string digest = sha256({reinterpret_cast<char*>(der), static_cast<size_t>(length)});
  OPENSSL_free(der);
  return digest;
}

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

std::string to_pem(X509* certificate) {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return take_bio(bio.get());
}

std::chrono::system_clock::time_point to_time(const ASN1_TIME* time) {
  int days = 0, seconds = 0;
  bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  if (!ASN1_TIME_diff(&days, &seconds, epoch.get(), time)) return {};
  return std::chrono::system_clock::time_point(std::chrono::hours(24) * days +
                                               std::chrono::seconds(seconds));
}

Result<std::vector<bssl::UniquePtr<X509>>> read_certificates(std::string_view pem) {
  std::vector<bssl::UniquePtr<X509>> certificates;
  bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const uint32_t error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string reason = take_reason();
  if (!certificates.empty() && at_end) return certificates;
  if (certificates.empty() && at_end) return fail("no PEM certificate in it");
  return fail("certificate {} is not valid PEM: {}", certificates.size(), reason);
}

std::string take_errors(std::string_view detail) {
  std::string text;
  while (const uint32_t error = ERR_get_error()) {
    text += text.empty() ? "TLS_error:|" : "|";
    const char* library = ERR_lib_error_string(error);
    const char* reason = ERR_reason_error_string(error);
    fmt::format_to(std::back_inserter(text), "{}:{}:OPENSSL_internal:{}", error,
                   library ? library : "unknown library", reason ? reason : "unknown reason");
  }
  if (text.empty()) return text;
  if (!detail.empty()) fmt::format_to(std::back_inserter(text), ":{}", detail);
  return text + ":TLS_error_end";
}

std::string take_reason() {
  const uint32_t error = ERR_peek_last_error();
  const char* reason = error ? ERR_reason_error_string(error) : nullptr;
  ERR_clear_error();
  return reason ? reason : "unknown reason";
}

Result<std::vector<CertificateFacts>> certificate_facts(std::string_view pem) {
  auto certificates = read_certificates(pem);
  if (!certificates) return std::unexpected(certificates.error());
  std::vector<CertificateFacts> facts;
  for (const auto& certificate : *certificates) {
    facts.push_back({name_rfc2253(X509_get_subject_name(certificate.get())),
                     serial_hex(certificate.get()),
                     subject_alternative_names(certificate.get(), SanType::Uri),
                     subject_alternative_names(certificate.get(), SanType::Dns),
                     to_time(X509_get0_notBefore(certificate.get())),
                     to_time(X509_get0_notAfter(certificate.get()))});
  }
  return facts;
}

bool dns_name_matches(std::string_view certificate_name, std::string_view name) {
  const auto equal = [](std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
  };
  if (!certificate_name.starts_with("*.")) return equal(certificate_name, name);
  const size_t dot = name.find('.');
  return dot != name.npos && dot > 0 && equal(certificate_name.substr(1), name.substr(dot));
}

}  // namespace sennit::tls

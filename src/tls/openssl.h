// Owning pointers for AWS-LC objects and the readings of certificates that several files need.
// For src/tls/ only.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tls/context.h"

namespace sennit::tls {

std::vector<std::string> subject_alternative_names(X509* certificate, SanType type);
std::string name_rfc2253(const X509_NAME* name);
std::string serial_hex(X509* certificate);
std::string sha256(std::string_view bytes);         // raw
std::string certificate_sha256(X509* certificate);  // raw, of the DER form
std::string spki_sha256(X509* certificate);         // raw
std::string to_hex(std::string_view bytes);
std::string to_pem(X509* certificate);
std::chrono::system_clock::time_point to_time(const ASN1_TIME* time);
Result<std::vector<bssl::UniquePtr<X509>>> read_certificates(std::string_view pem);

// The error queue in Envoy's words, emptied: "TLS_error:|268435581:SSL routines:OPENSSL_internal:
// CERTIFICATE_VERIFY_FAILED:TLS_error_end". `detail` follows the last error. Empty if no error.
std::string take_errors(std::string_view detail = {});
// The last error alone, for configuration messages: "BAD_DECRYPT".
std::string take_reason();

}  // namespace sennit::tls

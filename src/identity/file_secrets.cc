#include "identity/file_secrets.h"

#include <filesystem>

namespace sennit::identity {
namespace {

using envoy::extensions::transport_sockets::tls::v3::Secret;

constexpr std::string_view kCertificate = "file-cert:", kRoots = "file-root:", kSystem = "system";

// Debian and Alpine; Fedora and its kin; openSUSE; BSDs and macOS.
constexpr const char* kSystemRoots[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

std::string system_roots() {
  std::error_code ignored;
  for (const char* candidate : kSystemRoots) {
    if (std::filesystem::exists(candidate, ignored)) return candidate;
  }
  return "";
}

}  // namespace

std::optional<Secret> file_secret(std::string_view name) {
  Secret out;
  out.set_name(std::string(name));
  if (name.starts_with(kCertificate)) {
    std::string_view files = name.substr(kCertificate.size());
    size_t tilde = files.find('~');
    if (tilde == files.npos) return std::nullopt;
    auto& certificate = *out.mutable_tls_certificate();
    certificate.mutable_certificate_chain()->set_filename(std::string(files.substr(0, tilde)));
    certificate.mutable_private_key()->set_filename(std::string(files.substr(tilde + 1)));
    return out;
  }
  if (name.starts_with(kRoots)) {
    std::string file(name.substr(kRoots.size()));
    if (file == kSystem) file = system_roots();
    if (file.empty()) return std::nullopt;
    out.mutable_validation_context()->mutable_trusted_ca()->set_filename(file);
    return out;
  }
  return std::nullopt;
}

}  // namespace sennit::identity

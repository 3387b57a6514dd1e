// The mesh's certificate authority: a self-signed root kept in the state directory, SVIDs issued
// for proved identities, and a record of each in an append-only file.
//
//   STATE/root-key.pem     0600, never leaves
//   STATE/root-cert.pem    0644, the trust bundle
//   STATE/issued.jsonl     one JSON line per certificate: time, serial, SPIFFE ID, requester,
//   expiry
//
// Thread-safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "pki/x509.h"

namespace sennit::mesh {

struct AuthorityOptions {
  std::filesystem::path state;
  std::string trust_domain = "cluster.local";
  std::chrono::seconds default_lifetime{24 * 3600};
  std::chrono::seconds max_lifetime{90 * 24 * 3600};     // istiod's MAX_WORKLOAD_CERT_TTL
  std::chrono::seconds root_lifetime{10 * 365 * 86400};  // istiod's default, 10 years
};

class Authority {
 public:
  // Loads the root, or makes one. An error where the directory cannot be used, is readable by
  // others, or holds a root that does not match its key or has expired.
  static Result<std::unique_ptr<Authority>> open(const AuthorityOptions& options);

  struct Issued {
    std::vector<std::string> chain;  // PEM, leaf first, root last
    std::string serial;
    std::chrono::system_clock::time_point not_after;
  };
  // `request_pem` must ask for exactly the identity that `requester` proved (or for no name).
  // A lifetime of zero means the default; a longer one than the bound is cut to it.
  Result<Issued> issue(std::string_view request_pem, const pki::WorkloadIdentity& proved,
                       std::string_view requester, std::chrono::seconds lifetime);
  // A certificate with its key for the control plane's own servers.
  struct ServerCertificate {
    std::string chain_pem, key_pem;
  };
  Result<ServerCertificate> issue_server(const std::vector<std::string>& names);

  const std::string& root_pem() const { return root_pem_; }
  const std::string& trust_domain() const { return options_.trust_domain; }
  uint64_t issued_count() const;

 private:
  explicit Authority(AuthorityOptions options) : options_(std::move(options)) {}
  Status load_or_create();
  Status record(const pki::CertificateFacts& facts, std::string_view id,
                std::string_view requester);

  AuthorityOptions options_;
  pki::Key key_;
  pki::Certificate root_;
  std::string root_pem_;
  mutable std::mutex mutex_;  // the record file and the count
  uint64_t issued_ = 0;
};

}  // namespace sennit::mesh

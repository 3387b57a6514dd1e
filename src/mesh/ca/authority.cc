#include "mesh/ca/authority.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/log.h"
#include "base/unique_fd.h"

namespace sennit::mesh {
namespace {

namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("cannot read {}: {}", path.string(), std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Written beside and renamed, so that a crash leaves the old file or the new one, never half.
Status write_file(const fs::path& path, std::string_view bytes, mode_t mode) {
  fs::path fresh = path;
  fresh += ".new";
  UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd.valid() || ::fchmod(fd.get(), mode) != 0 ||
      ::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      ::fsync(fd.get()) != 0)
    return fail("cannot write {}: {}", fresh.string(), std::strerror(errno));
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return fail("cannot rename {}: {}", fresh.string(), std::strerror(errno));
  return {};
}

Status prepare_directory(const fs::path& state) {
  std::error_code error;
  fs::create_directories(state, error);
  if (error) return fail("cannot make the state directory {}: {}", state.string(), error.message());
  if (::chmod(state.c_str(), 0700) != 0)
    return fail("cannot make {} private (mode 0700): {}", state.string(), std::strerror(errno));
  return {};
}

Status check_private(const fs::path& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0 && (about.st_mode & 077) != 0)
    return fail("{} can be read by others (mode {:o}): run chmod 600 on it", path.string(),
                about.st_mode & 0777);
  return {};
}

std::string utc(std::chrono::system_clock::time_point time) {
  std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  char text[32];
  std::tm parts{};
  std::strftime(text, sizeof text, "%FT%TZ", gmtime_r(&seconds, &parts));
  return text;
}

}  // namespace

Result<std::unique_ptr<Authority>> Authority::open(const AuthorityOptions& options) {
  std::unique_ptr<Authority> authority(new Authority(options));
  if (Status ok = prepare_directory(options.state); !ok) return std::unexpected(ok.error());
  if (Status ok = authority->load_or_create(); !ok) return std::unexpected(ok.error());
  return authority;
}

Status Authority::load_or_create() {
  const fs::path key_path = options_.state / "root-key.pem";
  const fs::path root_path = options_.state / "root-cert.pem";
  if (!fs::exists(key_path)) {
    auto key = pki::generate_key();
    if (!key) return std::unexpected(key.error());
    auto root = pki::make_root(*key, options_.trust_domain, options_.root_lifetime);
    if (!root) return std::unexpected(root.error());
    auto key_pem = pki::key_to_pem(*key);
    if (!key_pem) return std::unexpected(key_pem.error());
    if (Status ok = write_file(root_path, pki::certificate_to_pem(*root), 0644); !ok) return ok;
    if (Status ok = write_file(key_path, *key_pem, 0600); !ok) return ok;
    log::info("ca", "made a root certificate for trust domain {} in {}", options_.trust_domain,
              options_.state.string());
  }
  if (Status ok = check_private(key_path); !ok) return ok;
  auto key_pem = read_file(key_path);
  auto root_pem = read_file(root_path);
  if (!key_pem) return std::unexpected(key_pem.error());
  if (!root_pem) return std::unexpected(root_pem.error());
  auto key = pki::key_from_pem(*key_pem);
  if (!key) return std::unexpected(key.error().within(key_path.string()));
  auto root = pki::certificate_from_pem(*root_pem);
  if (!root) return std::unexpected(root.error().within(root_path.string()));
  if (!pki::matches(*root, *key))
    return fail("{} was not made for the key in {}", root_path.string(), key_path.string());
  if (pki::facts(*root).not_after < std::chrono::system_clock::now())
    return fail("the root certificate {} expired at {}", root_path.string(),
                utc(pki::facts(*root).not_after));
  key_ = std::move(*key);
  root_ = std::move(*root);
  root_pem_ = std::move(*root_pem);
  return {};
}

Result<Authority::Issued> Authority::issue(std::string_view request_pem,
                                           const pki::WorkloadIdentity& proved,
                                           std::string_view requester,
                                           std::chrono::seconds lifetime) {
  auto request = pki::request_from_pem(request_pem);
  if (!request) return std::unexpected(request.error());
  const std::string id = proved.spiffe_id();
  pki::RequestedNames names = pki::requested_names(*request);
  for (const std::string& uri : names.uris)
    if (uri != id) return fail("the request asks for {}, but the caller proved to be {}", uri, id);
  if (!names.others.empty())
    return fail("the request asks for {}; an SVID has one SPIFFE ID and no other name",
                names.others.front());
  if (proved.trust_domain != options_.trust_domain)
    return fail("{} is not of this mesh's trust domain {}", id, options_.trust_domain);

  if (lifetime <= std::chrono::seconds(0)) lifetime = options_.default_lifetime;
  lifetime = std::min(lifetime, options_.max_lifetime);
  auto leaf = pki::issue(key_, root_, X509_REQ_get0_pubkey(request->get()),
                         {.spiffe_id = id, .lifetime = lifetime});
  if (!leaf) return std::unexpected(leaf.error());
  pki::CertificateFacts facts = pki::facts(*leaf);
  // Nothing is handed out that is not on record.
  if (Status ok = record(facts, id, requester); !ok) return std::unexpected(ok.error());
  return Issued{{pki::certificate_to_pem(*leaf), root_pem_}, facts.serial, facts.not_after};
}

Result<Authority::ServerCertificate> Authority::issue_server(
    const std::vector<std::string>& names) {
  auto key = pki::generate_key();
  if (!key) return std::unexpected(key.error());
  auto leaf =
      pki::issue(key_, root_, key->get(), {.dns_names = names, .lifetime = options_.max_lifetime});
  if (!leaf) return std::unexpected(leaf.error());
  auto key_pem = pki::key_to_pem(*key);
  if (!key_pem) return std::unexpected(key_pem.error());
  if (Status ok = record(pki::facts(*leaf), names.empty() ? "" : names.front(), "control plane");
      !ok)
    return std::unexpected(ok.error());
  return ServerCertificate{pki::certificate_to_pem(*leaf) + root_pem_, *key_pem};
}

Status Authority::record(const pki::CertificateFacts& facts, std::string_view id,
                         std::string_view requester) {
  nlohmann::json line = {{"time", utc(std::chrono::system_clock::now())},
                         {"serial", facts.serial},
                         {"id", id},
                         {"requester", requester},
                         {"expires", utc(facts.not_after)}};
  std::string text = line.dump() + "\n";
  std::lock_guard lock(mutex_);
  const fs::path path = options_.state / "issued.jsonl";
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd.valid() ||
      ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail("cannot record the certificate in {}: {}", path.string(), std::strerror(errno));
  ++issued_;
  return {};
}

uint64_t Authority::issued_count() const {
  std::lock_guard lock(mutex_);
  return issued_;
}

}  // namespace sennit::mesh

// CommonTlsContext and what it refers to, turned into tls::Options.
#pragma once

#include <optional>
#include <vector>

#include "proxy/tls/secrets.h"
#include "tls/context.h"

namespace sennit::proxy {

// The parts of a TLS context that come from secrets, found once; `options` reads them anew each
// time that one has changed.
class TlsMaterial {
 public:
  using CommonTlsContext = envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;

  static Result<std::unique_ptr<TlsMaterial>> create(const CommonTlsContext& config,
                                                     SecretManager& secrets);

  // nullopt: a secret has not come yet. Errors name the field.
  Result<std::optional<tls::Options>> options() const;
  // The SDS secrets to listen to.
  const std::vector<SecretSlot*>& slots() const { return slots_; }
  bool has_validation() const;

 private:
  Status add_certificates(tls::Options& options) const;
  Result<std::optional<tls::Verification>> verification() const;

  CommonTlsContext config_;
  std::vector<SecretSlot*> certificate_slots_;
  SecretSlot* validation_slot_ = nullptr;
  std::vector<SecretSlot*> slots_;
};

}  // namespace sennit::proxy

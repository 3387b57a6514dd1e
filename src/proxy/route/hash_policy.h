// hash_policy of a route: which of a request's traits consistent hashing goes by. Traits combine in
// order; a `terminal` one that gave a hash ends the list. Hashes are Envoy's, so that requests land
// on the same hosts as with Envoy.
#pragma once

#include <envoy/config/route/v3/route_components.pb.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/match/string_matcher.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

// XXH64 with seed 0: the same in every process.
uint64_t stable_hash(std::string_view bytes);

class HashPolicy {
 public:
  using Config = envoy::config::route::v3::RouteAction::HashPolicy;

  // nullptr where the list is empty.
  static Result<std::shared_ptr<const HashPolicy>> create(
      const google::protobuf::RepeatedPtrField<Config>& configs);
  // None where no trait is present. A cookie with a ttl that the request lacks is made up, and its
  // set-cookie value stored in `set_cookie` (if not nullptr).
  std::optional<uint64_t> hash(const http::HeaderMap& request, const StreamInfo& info,
                               std::string* set_cookie) const;

 private:
  enum class Kind : uint8_t { Header, Cookie, SourceIp, QueryParameter };
  struct Trait {
    Kind kind = Kind::Header;
    std::string name;  // of the header, cookie or parameter
    std::shared_ptr<const RegexSubstitution> rewrite;
    std::optional<uint64_t> ttl_seconds;
    std::string cookie_path;
    std::string cookie_attributes;  // "; SameSite=Lax"
    bool terminal = false;
  };
  static Result<Trait> make_trait(const Config& config);
  static Trait make_cookie_trait(const Config::Cookie& cookie);
  static std::optional<uint64_t> trait_hash(const Trait& trait, const http::HeaderMap& request,
                                            const StreamInfo& info, std::string* set_cookie);
  static std::optional<uint64_t> cookie_hash(const Trait& trait, const http::HeaderMap& request,
                                             const StreamInfo& info, std::string* set_cookie);

  std::vector<Trait> traits_;
};

}  // namespace sennit::proxy

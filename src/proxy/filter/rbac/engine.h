// envoy.config.rbac.v3.RBAC, compiled: named policies, each a tree of permissions (what is done)
// and one of principals (by whom). Serves the HTTP filter and the network filter; without headers,
// rules about headers and paths match as on a message without any. Immutable; any thread.
#pragma once

#include <envoy/config/rbac/v3/rbac.pb.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/header_map.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy::rbac {

struct Input {
  const DownstreamInfo& downstream;
  const http::HeaderMap* headers = nullptr;  // nullptr: TCP
};

// A node of a policy's tree.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual bool matches(const Input& input) const = 0;
};
using RulePtr = std::unique_ptr<const Rule>;

Result<RulePtr> make_permission(const envoy::config::rbac::v3::Permission& config);
Result<RulePtr> make_principal(const envoy::config::rbac::v3::Principal& config);

enum class Action : uint8_t { Allow, Deny, Log };

struct Verdict {
  bool allowed = true;
  // The policy that matched; nullptr: none (which is why an ALLOW engine denies).
  const std::string* policy = nullptr;
};

class Engine {
 public:
  // Errors name the field below the RBAC message ("policies[p].permissions[0].uri_template: ...").
  static Result<std::shared_ptr<const Engine>> create(const envoy::config::rbac::v3::RBAC& config);
  Verdict evaluate(const Input& input) const;

 private:
  struct Policy {
    std::string name;
    std::vector<RulePtr> permissions, principals;  // any of each
  };
  static Result<Policy> make_policy(const std::string& name,
                                    const envoy::config::rbac::v3::Policy& config);

  Action action_ = Action::Allow;
  std::vector<Policy> policies_;  // in the order of their names, as Envoy evaluates them
};

// Envoy's response code details: "rbac_access_denied_matched_policy[name]" with blanks replaced.
std::string denial_details(const Verdict& verdict);

}  // namespace sennit::proxy::rbac

#include "mesh/api/istio/request_authentication.pb.h"

#include "mesh/api/validate/common.h"
#include "mesh/api/validate/validators.h"
#include "mesh/api/yaml.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

bool is_web_uri(std::string_view uri) {
  for (std::string_view scheme : {"http://", "https://"})
    if (uri.starts_with(scheme))
      return uri.size() > scheme.size() && uri[scheme.size()] != '/' && uri[scheme.size()] != ':';
  return false;
}

// A JSON object with "keys", or one key by itself (RFC 7517).
bool is_key_set(std::string_view text) {
  if (!text.starts_with('{')) return false;
  const YamlDocuments json = parse_yaml(text);
  if (json.syntax_error || json.documents.size() != 1) return false;
  return json.documents[0].find("keys") || json.documents[0].find("kty");
}

void check_rule(Checker& checker, const std::string& field, const api::JWTRule& rule) {
  if (rule.issuer().empty()) checker.error(below(field, "issuer"), "is missing");
  check_no_empty_item(checker, below(field, "audiences"), rule.audiences());
  if (!rule.jwks().empty() && !rule.jwks_uri().empty())
    checker.error(below(field, "jwks"), "cannot stand beside \"jwksUri\"; choose one");
  if (!rule.jwks_uri().empty() && !is_web_uri(rule.jwks_uri()))
    checker.error(below(field, "jwksUri"), "\"{}\" is no http or https address", rule.jwks_uri());
  if (!rule.jwks().empty() && !is_key_set(rule.jwks()))
    checker.error(below(field, "jwks"), "is no JSON Web Key Set (RFC 7517)");
  for (int i = 0; i < rule.from_headers_size(); ++i)
    if (!is_header_name(rule.from_headers(i).name()))
      checker.error(at(below(field, "fromHeaders"), i), "needs a header's \"name\"");
  check_no_empty_item(checker, below(field, "fromParams"), rule.from_params());
  check_no_empty_item(checker, below(field, "fromCookies"), rule.from_cookies());
  for (int i = 0; i < rule.output_claim_to_headers_size(); ++i) {
    const auto& output = rule.output_claim_to_headers(i);
    const std::string path = at(below(field, "outputClaimToHeaders"), i);
    if (!is_header_name(output.header())) checker.error(path, "needs a \"header\" name");
    if (output.claim().empty()) checker.error(path, "needs a \"claim\"");
  }
  if (rule.has_timeout()) check_duration(checker, below(field, "timeout"), rule.timeout());
}

}  // namespace

void validate_request_authentication(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::RequestAuthentication>();
  check_attachment(checker, spec);
  for (int i = 0; i < spec.jwt_rules_size(); ++i)
    check_rule(checker, at("jwtRules", i), spec.jwt_rules(i));
}

}  // namespace sennit::mesh

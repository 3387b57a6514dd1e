#include "mesh/ca/service.h"

#include "base/log.h"
#include "mesh/ca/join_token.h"

namespace sennit::mesh {
namespace {

constexpr std::string_view kBearer = "Bearer ";

struct Proof {
  pki::WorkloadIdentity identity;
  std::string how;
};

Result<Proof> prove(const grpc::CallbackServerContext& context, std::string_view join_token,
                    const ::istio::v1::auth::IstioCertificateRequest& request) {
  if (auto peer = peer_identity(context)) return Proof{*peer, "certificate"};
  const auto& metadata = context.client_metadata();
  auto found = metadata.find("authorization");
  if (found == metadata.end())
    return fail("no proof of identity: show a certificate of the mesh or a join token");
  std::string_view value(found->second.data(), found->second.size());
  if (!value.starts_with(kBearer) || !same_secret(value.substr(kBearer.size()), join_token))
    return fail("the token is not this mesh's join token (STATE/join-token of the control plane)");
  auto csr = pki::request_from_pem(request.csr());
  if (!csr) return std::unexpected(csr.error());
  pki::RequestedNames names = pki::requested_names(*csr);
  if (names.uris.size() != 1) return fail("the request must name one SPIFFE ID as its URI SAN");
  auto identity = pki::WorkloadIdentity::parse(names.uris.front());
  if (!identity) return std::unexpected(identity.error());
  return Proof{*identity, "join token"};
}

}  // namespace

Result<pki::WorkloadIdentity> peer_identity(const grpc::ServerContextBase& context) {
  auto auth = context.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) return fail("the caller showed no certificate");
  for (const grpc::string_ref& uri : auth->FindPropertyValues("peer_spiffe_id"))
    return pki::WorkloadIdentity::parse({uri.data(), uri.size()});
  return fail("the caller's certificate has no SPIFFE ID");
}

grpc::ServerUnaryReactor* CertificateService::CreateCertificate(
    grpc::CallbackServerContext* context, const ::istio::v1::auth::IstioCertificateRequest* request,
    ::istio::v1::auth::IstioCertificateResponse* response) {
  auto* reactor = context->DefaultReactor();
  auto proof = prove(*context, join_token_, *request);
  if (!proof) {
    log::warn("ca", "refused a certificate to {}: {}", context->peer(), proof.error().message);
    reactor->Finish(grpc::Status(grpc::StatusCode::UNAUTHENTICATED, proof.error().message));
    return reactor;
  }
  auto issued =
      authority_.issue(request->csr(), proof->identity, context->peer() + " by " + proof->how,
                       std::chrono::seconds(request->validity_duration()));
  if (!issued) {
    log::warn("ca", "refused a certificate to {} ({}): {}", context->peer(),
              proof->identity.spiffe_id(), issued.error().message);
    reactor->Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, issued.error().message));
    return reactor;
  }
  for (std::string& pem : issued->chain) response->add_cert_chain(std::move(pem));
  log::debug("ca", "issued {} to {}", issued->serial, proof->identity.spiffe_id());
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace sennit::mesh

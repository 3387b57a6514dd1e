// istio.v1.auth.IstioCertificateService, as Istio's own agents call it. Who the caller is, is
// proved by a certificate of this mesh (renewal: the same identity again) or by the join token
// ("authorization: Bearer TOKEN"; the identity is then the one that the request names).
#pragma once

#include <grpcpp/grpcpp.h>
#include <istio/ca.grpc.pb.h>

#include <string>

#include "mesh/ca/authority.h"

namespace sennit::mesh {

class CertificateService final
    : public ::istio::v1::auth::IstioCertificateService::CallbackService {
 public:
  CertificateService(Authority& authority, std::string join_token)
      : authority_(authority), join_token_(std::move(join_token)) {}

  grpc::ServerUnaryReactor* CreateCertificate(
      grpc::CallbackServerContext* context,
      const ::istio::v1::auth::IstioCertificateRequest* request,
      ::istio::v1::auth::IstioCertificateResponse* response) override;

 private:
  Authority& authority_;
  std::string join_token_;
};

// The SPIFFE ID that the peer of a mutual-TLS call proved; an error where it showed none.
Result<pki::WorkloadIdentity> peer_identity(const grpc::ServerContextBase& context);

}  // namespace sennit::mesh

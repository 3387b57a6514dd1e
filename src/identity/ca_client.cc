#include "identity/ca_client.h"

#include <istio/ca.grpc.pb.h>

namespace sennit::identity {
namespace {

std::shared_ptr<grpc::Channel> make_channel(const CaClient::Options& options,
                                            const grpc::SslCredentialsOptions& tls) {
  grpc::ChannelArguments arguments;
  if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  // A fresh channel must not share the connection (and so the identity) of an older one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(options.address, grpc::SslCredentials(tls), arguments);
}

}  // namespace

CaClient::CaClient(Options options) : options_(std::move(options)) {
  channel_ = make_channel(options_, {.pem_root_certs = options_.root_pem});
}

void CaClient::use_certificate(const std::string& key_pem, const std::string& chain_pem) {
  channel_ = make_channel(options_, {.pem_root_certs = options_.root_pem,
                                     .pem_private_key = key_pem,
                                     .pem_cert_chain = chain_pem});
  has_certificate_ = true;
}

Result<std::vector<std::string>> CaClient::sign(const std::string& request_pem,
                                                std::chrono::seconds lifetime) {
  istio::v1::auth::IstioCertificateRequest request;
  request.set_csr(request_pem);
  request.set_validity_duration(lifetime.count());
  istio::v1::auth::IstioCertificateResponse response;
  auto call = [&](const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options_.deadline);
    if (!options_.token.empty()) context.AddMetadata("authorization", "Bearer " + options_.token);
    return istio::v1::auth::IstioCertificateService::NewStub(channel)->CreateCertificate(
        &context, request, &response);
  };
  grpc::Status status = call(channel_);
  if (!status.ok() && has_certificate_ && !options_.token.empty()) {
    // The certificate may have ended while the CA was away: prove by the token again.
    status = call(make_channel(options_, {.pem_root_certs = options_.root_pem}));
  }
  if (!status.ok())
    return fail("the certificate service at {}: {}", options_.address, status.error_message());
  if (response.cert_chain_size() < 2)
    return fail(
        "the certificate service at {} sent {} certificates; at least a leaf and a root are needed",
        options_.address, response.cert_chain_size());
  return std::vector<std::string>(response.cert_chain().begin(), response.cert_chain().end());
}

}  // namespace sennit::identity

#include "mesh/api/istio/gateway.pb.h"

#include <algorithm>
#include <map>

#include "mesh/api/validate/common.h"
#include "mesh/api/validate/server_tls.h"
#include "mesh/api/validate/validators.h"

namespace sennit::mesh {
namespace {

namespace api = sennit::istio::v1;

void check_server(Checker& checker, const std::string& field, const api::Server& server) {
  if (!server.bind().empty() && !is_ip_address(server.bind()) &&
      !server.bind().starts_with("unix://"))
    checker.error(below(field, "bind"), "\"{}\" is no IP address", server.bind());
  if (server.hosts_size() == 0) checker.error(field, "needs \"hosts\" with at least one host");
  for (int i = 0; i < server.hosts_size(); ++i)
    check_scoped_host(checker, at(below(field, "hosts"), i), server.hosts(i), false);
  if (!server.has_port()) return checker.error(field, "needs a \"port\"");
  const std::string port = below(field, "port");
  if (server.port().name().empty()) checker.error(port, "needs a \"name\"");
  if (server.port().protocol().empty()) checker.error(port, "needs a \"protocol\"");
  check_port_definition(checker, port, server.port());

  std::string protocol = server.port().protocol();
  std::ranges::transform(protocol, protocol.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  const bool encrypted = protocol == "https" || protocol == "tls";
  const bool http = protocol.starts_with("http") || protocol.starts_with("grpc");
  if (encrypted && !server.has_tls())
    return checker.error(field, "protocol {} needs \"tls\"", server.port().protocol());
  if (!server.has_tls()) return;
  const std::string tls = below(field, "tls");
  if (server.tls().https_redirect() && (encrypted || !http))
    checker.error(below(tls, "httpsRedirect"), "belongs to a server of protocol HTTP");
  if (encrypted)
    check_server_tls(checker, tls, server.tls());
  else if (http && checker.written(below(tls, "mode")))
    checker.error(tls, "a server of protocol {} cannot terminate TLS; write protocol HTTPS or TLS",
                  server.port().protocol());
}

}  // namespace

void validate_gateway(const Resource& resource, Checker& checker) {
  const auto& spec = resource.as<api::Gateway>();
  if (spec.servers_size() == 0) checker.error("servers", "is missing; a gateway needs a server");
  std::map<std::string, int> names;
  for (int i = 0; i < spec.servers_size(); ++i) {
    const std::string field = at("servers", i);
    check_server(checker, field, spec.servers(i));
    const std::string& name = spec.servers(i).port().name();
    if (const auto [first, fresh] = names.emplace(name, i); !fresh && !name.empty())
      checker.error(below(field, "port.name"),
                    "\"{}\" is the name of servers[{}]'s port, too; "
                    "rename one",
                    name, first->second);
  }
  check_labels(checker, "selector", spec.selector());
}

void check_server_tls(Checker& checker, const std::string& field,
                      const api::ServerTLSSettings& tls) {
  using Tls = api::ServerTLSSettings;
  const bool named = !tls.credential_name().empty() || tls.credential_names_size() > 0 ||
                     tls.tls_certificates_size() > 0;
  const bool terminates =
      tls.mode() == Tls::SIMPLE || tls.mode() == Tls::MUTUAL || tls.mode() == Tls::OPTIONAL_MUTUAL;
  if (terminates && !named) {
    if (tls.server_certificate().empty())
      checker.error(field, "needs \"credentialName\" or \"serverCertificate\"");
    if (tls.private_key().empty())
      checker.error(field, "needs \"credentialName\" or \"privateKey\"");
    if (tls.mode() != Tls::SIMPLE && tls.ca_certificates().empty() &&
        tls.ca_cert_credential_name().empty())
      checker.error(field, "mode MUTUAL needs \"caCertificates\"");
  }
  if (tls.mode() == Tls::ISTIO_MUTUAL && (named || !tls.server_certificate().empty()))
    checker.error(field,
                  "mode ISTIO_MUTUAL uses the workload's own certificate; remove the others");
  if (tls.max_protocol_version() != Tls::TLS_AUTO &&
      tls.max_protocol_version() < tls.min_protocol_version())
    checker.error(below(field, "maxProtocolVersion"), "is lower than minProtocolVersion");
}

}  // namespace sennit::mesh

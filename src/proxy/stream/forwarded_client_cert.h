// x-forwarded-client-cert: telling the upstream who the client's certificate says it is (Envoy:
// forward_client_cert_details, set_current_client_cert_details).
#pragma once

#include <string>

#include "http/header_map.h"
#include "net/connection.h"
#include "proxy/stream/hcm_settings.h"

namespace sennit::proxy {

// This hop's element: "By=spiffe://...;Hash=...;Subject=\"...\";URI=...". The same for all requests
// of a connection, so it is made once for each.
std::string client_cert_element(const net::TlsInfo& tls, const ClientCertDetails& details);

// Applies the mode to the header. `element`: this hop's; used only where `tls` has a peer.
void forward_client_cert(ForwardClientCert mode, const net::TlsInfo* tls, std::string_view element,
                         http::HeaderMap& request);

}  // namespace sennit::proxy

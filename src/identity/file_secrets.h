// Secrets that lie in files and that a DestinationRule or a Gateway names: "file-cert:CHAIN~KEY" is
// a certificate with its key, "file-root:FILE" a bundle of roots, "file-root:system" this machine's
// own. Istio's control plane asks the agent beside each proxy for them by these names.
#pragma once

#include <envoy/extensions/transport_sockets/tls/v3/secret.pb.h>

#include <optional>
#include <string_view>

namespace sennit::identity {

// The secret tells the proxy which files to read (and to watch). nullopt: not such a name, or this
// machine has no bundle of roots where distributions keep it.
std::optional<envoy::extensions::transport_sockets::tls::v3::Secret> file_secret(
    std::string_view name);

}  // namespace sennit::identity

// Which fields of the bootstrap are carried out. Listeners, clusters and secrets are judged whole
// by their own rooms.
#pragma once

#include <envoy/config/bootstrap/v3/bootstrap.pb.h>

#include "base/result.h"
#include "proxy/match/supported_fields.h"

namespace sennit::proxy {

Status refuse_unsupported_bootstrap_fields(
    const envoy::config::bootstrap::v3::Bootstrap& bootstrap);

// The same for a ConfigSource wherever it stands (Rds, SdsSecretConfig, EdsClusterConfig).
const SupportedFields& supported_config_source_fields();

}  // namespace sennit::proxy

// Which fields of the TLS messages are carried out; all others are refused by name.
#pragma once

#include "proxy/match/supported_fields.h"

namespace sennit::proxy {

const SupportedFields& supported_tls_fields();

}  // namespace sennit::proxy

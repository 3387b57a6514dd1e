// The fields of an HttpConnectionManager that we carry out; any other that is set is refused.
#pragma once

#include "proxy/match/supported_fields.h"

namespace sennit::proxy {
const SupportedFields& supported_hcm_fields();
}

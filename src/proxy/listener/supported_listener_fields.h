// Which fields of listeners, their filters and the TCP proxy are carried out; all others are
// refused by name.
#pragma once

#include "proxy/match/supported_fields.h"

namespace sennit::proxy {

const SupportedFields& supported_listener_fields();

}  // namespace sennit::proxy

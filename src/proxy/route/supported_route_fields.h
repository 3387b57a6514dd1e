// The fields of a RouteConfiguration that we carry out; any other that is set is refused.
#pragma once

#include "proxy/match/supported_fields.h"

namespace sennit::proxy {
const SupportedFields& supported_route_fields();
}

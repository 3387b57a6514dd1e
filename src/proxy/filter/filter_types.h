// One function per filter of the registry. Private to the room.
#pragma once

#include "proxy/filter/registry.h"

namespace sennit::proxy {

FilterType alpn_filter_type();
FilterType cors_filter_type();
FilterType fault_filter_type();
FilterType grpc_stats_filter_type();
FilterType istio_stats_filter_type();
FilterType peer_metadata_filter_type();
FilterType rbac_filter_type();

}  // namespace sennit::proxy
